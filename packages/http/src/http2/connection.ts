// hot path: every frame of a connection
import type { Duplex } from 'node:stream';
import {
  type BodyLength,
  type ClientConnection,
  DEFAULT_SERVER_TIMES,
  type Exchange,
  type RequestHead,
  type RequestOptions,
  type ServerExchange,
  type ServerTimes,
} from '../exchange.ts';
import { connectionLost, errorReason, HttpError, notUsable, violation } from '../http-error.ts';
import { type SweepCell, startSweeping, stopSweeping } from '../sockets/sweeper.ts';
import { Http2ClientExchange } from './exchange.ts';
import { FloodGuard } from './flood-guard.ts';
import { ConnectionWindow } from './flow-control.ts';
import { FrameReader } from './frame-reader.ts';
import { CLIENT_PREFACE, FLAG, FRAME, MAX_WINDOW_BYTES } from './frames.ts';
import { HeaderBlockAssembler } from './header-block.ts';
import { requestList } from './heads.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { KeepAlive, type KeepAliveOptions } from './keep-alive.ts';
import { readPaced, workFor } from './paced-reads.ts';
import { FrameSender } from './sender.ts';
import { ServerClock } from './server-clock.ts';
import { defaultPeerSettings, type Http2Limits, readSettings } from './settings.ts';
import { StreamFrames } from './stream-frames.ts';
import { StreamRegistry } from './stream-registry.ts';

/** How long a connection that ends may take to send its last words, in ms. */
const LINGER_MS = 1000;

/** Refuses nothing: even, as nghttp2 wants it of a client, and above streams of ours, which old versions of Rust's h2 would end. */
const EVERY_PUSHED_STREAM = 0x7fff_fffe;

const KEEP_ALIVE_PING = Buffer.from('alive?  ', 'latin1');
const DRAIN_PING = Buffer.from('drained?', 'latin1');

interface ConnectionOptions {
  readonly limits: Http2Limits;
  /** Default: no pings. */
  readonly keepAlive?: KeepAliveOptions;
  /** Once, last; null after an orderly end. Every exchange has heard before. */
  readonly onClose: (error: HttpError | null) => void;
}

export interface Http2ClientOptions extends ConnectionOptions {
  readonly role: 'client';
  /** The peer's first SETTINGS have arrived. */
  readonly onReady: () => void;
  /** Default 1. */
  readonly firstStreamId?: number;
}

export interface Http2ServerOptions extends ConnectionOptions {
  readonly role: 'server';
  readonly onRequest: (exchange: ServerExchange) => void;
  /** Default: `DEFAULT_SERVER_TIMES`. */
  readonly times?: ServerTimes;
  /** Streams may become another protocol by an extended CONNECT (RFC 8441). Default: none may. */
  readonly takesExtendedConnect?: boolean;
}

/**
 * One end of an HTTP/2 connection (RFC 9113) over any byte stream. Push is not offered, priorities are ignored.
 *
 * ```
 * open ── close(), GOAWAY, or no stream number is left ──► closing ── the last stream ends ──► closed
 * ```
 * and from both to `closed` by an error or by `abort`.
 */
export class Http2Connection implements ClientConnection {
  readonly #transport: Duplex;
  readonly #options: Http2ClientOptions | Http2ServerOptions;
  readonly #peer = defaultPeerSettings();
  readonly #guard = new FloodGuard();
  readonly #sender: FrameSender;
  readonly #reader: FrameReader;
  readonly #decoder: HpackDecoder;
  readonly #assembler: HeaderBlockAssembler;
  readonly #streams: StreamRegistry;
  readonly #frames: StreamFrames;
  readonly #keepAlive: KeepAlive | null;
  readonly #clock: SweepCell | null;
  #isReady = false;
  #phase: 'open' | 'closing' | 'closed' = 'open';
  /** Exchanges have heard that the peer ends the connection. */
  #hasToldEnding = false;

  constructor(transport: Duplex, options: Http2ClientOptions | Http2ServerOptions) {
    const { role, limits } = options;
    const takesExtendedConnect =
      options.role === 'server' && (options.takesExtendedConnect ?? false);
    this.#transport = transport;
    this.#options = options;
    this.#sender = new FrameSender(transport, {
      guard: this.#guard,
      onForget: (stream) => {
        this.#streams.forget(stream);
        if (this.#phase === 'closing') this.#endIfDone();
      },
    });
    this.#streams = new StreamRegistry(role, role === 'client' ? options.firstStreamId : 1);
    this.#frames = new StreamFrames({
      role,
      maxConcurrentStreams: limits.maxConcurrentStreams ?? 0,
      takesExtendedConnect,
      streams: this.#streams,
      sender: this.#sender,
      window: new ConnectionWindow(limits, (bytes) => this.#sender.sendConnectionCredit(bytes)),
      guard: this.#guard,
      onRequest: role === 'server' ? options.onRequest : () => undefined,
      onCloseAfterwards: () => this.close(),
    });
    this.#reader = new FrameReader(
      {
        onFrame: (type, flags, streamId, payload) => this.#onFrame(type, flags, streamId, payload),
        onDataStart: (streamId, length) => {
          this.#assertNoOpenBlock(FRAME.DATA, streamId);
          this.#frames.dataStart(streamId, length);
        },
        onDataPiece: (piece) => this.#frames.dataPiece(piece),
        onDataEnd: (isStreamEnd, padding) => this.#frames.dataEnd(isStreamEnd, padding),
      },
      { maxFrameBytes: limits.maxFrameBytes, expectsPreface: role === 'server' },
    );
    this.#decoder = new HpackDecoder(limits.maxHeaderListBytes);
    this.#assembler = new HeaderBlockAssembler(limits.maxHeaderListBytes);
    this.#keepAlive =
      options.keepAlive === undefined ? null : this.#startKeepAlive(options.keepAlive);
    this.#clock = role === 'server' ? this.#startClock(options.times) : null;
    if (role === 'client') this.#sender.sendRaw(CLIENT_PREFACE);
    this.#sender.sendSettings(limits, role, takesExtendedConnect);
    this.#listen();
  }

  /** Whether a client may open another stream now. */
  get isUsable(): boolean {
    return this.#phase === 'open' && this.#streams.size < this.#peer.maxConcurrentStreams;
  }

  /** False once either side has said that the connection ends, it has, or no stream number is left. */
  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  /** Streams that have not ended on both sides. */
  get openStreams(): number {
    return this.#streams.size;
  }

  /** Limit that the peer set for streams we open. */
  get maxStreams(): number {
    return this.#peer.maxConcurrentStreams;
  }

  /** Whether the peer takes requests with a `protocol`; known once it is ready. */
  get takesExtendedConnect(): boolean {
    return this.#peer.takesExtendedConnect;
  }

  /** Opens a stream as a client. Throws an unprocessed `HttpError` when the connection takes no more: see `isUsable`. */
  request(head: RequestHead, body: BodyLength, { listener }: RequestOptions): Exchange {
    if (!this.isUsable) throw notUsable();
    const stream = this.#frames.open({ listener, method: head.method });
    stream.sendHead(requestList(head), body === 0);
    // Those that are open go on.
    if (!this.#streams.hasIdsLeft) this.close();
    return new Http2ClientExchange(stream);
  }

  /** How often something has arrived; 0 for ever without keep-alive. */
  get reads(): number {
    return this.#keepAlive?.reads ?? 0;
  }

  /** Asks the peer for a sign of life: `reads` grows if it is there. */
  ping(): void {
    if (this.#phase !== 'closed') this.#sender.sendPing(KEEP_ALIVE_PING, false);
  }

  /** Ends the connection in order: streams under way finish, new ones are refused so that they can go elsewhere. */
  close(): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'closing';
    if (this.#options.role === 'server') {
      // Requests that are on their way are still served: the last id is named one round trip later.
      this.#sender.sendGoAway(MAX_WINDOW_BYTES, 'NO_ERROR');
      this.#sender.sendPing(DRAIN_PING, false);
      setTimeout(() => this.#nameLastStream(), LINGER_MS).unref();
    } else this.#endIfDone();
  }

  /** As `close` of a client, and tells the peer at once, who can let those know whom the streams serve. */
  leave(): void {
    if (this.#phase === 'open') this.#sender.sendGoAway(EVERY_PUSHED_STREAM, 'NO_ERROR');
    this.close();
  }

  /** Whatever carries the connection goes away: as if its peer had said so of the connection. */
  carrierLeaves(): void {
    this.close();
    this.#tellEnding();
  }

  /** Ends everything now. */
  abort(): void {
    const text = 'the connection was aborted';
    this.#finish(new HttpError(text, { reason: 'CANCEL', kind: 'aborted', scope: 'connection' }));
    this.#transport.destroy();
  }

  #listen(): void {
    const transport = this.#transport;
    readPaced(transport, (bytes) => {
      this.#onData(bytes);
      return workFor(this.#streams.lastPeerId, this.#reader.frames);
    });
    transport.resume();
    transport.on('drain', () => this.#sender.wake());
    transport.on('end', () => {
      this.#end(this.#streams.size === 0 ? null : connectionLost('connection ended'));
    });
    transport.on('error', (error) => this.#finish(connectionLost(error.message, error)));
    transport.on('close', () => this.#finish(connectionLost('connection closed')));
  }

  #onData(chunk: Buffer): void {
    if (this.#phase === 'closed') return;
    this.#keepAlive?.heard();
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      this.#fail(error);
    }
    this.#frames.batch();
  }

  #onFrame(type: number, flags: number, streamId: number, payload: Buffer): void {
    if (this.#phase === 'closed') return;
    this.#assertNoOpenBlock(type, streamId);
    switch (type) {
      case FRAME.HEADERS:
        if (streamId === 0) throw protocolError('HEADERS on stream 0');
        this.#onHeaderBlock(this.#assembler.headers(flags, streamId, payload));
        break;
      case FRAME.CONTINUATION:
        this.#onHeaderBlock(this.#assembler.continuation(flags, payload));
        break;
      case FRAME.PRIORITY:
        this.#frames.priority(streamId, payload);
        break;
      case FRAME.RST_STREAM:
        this.#frames.reset(streamId, payload);
        break;
      case FRAME.WINDOW_UPDATE:
        this.#frames.windowUpdate(streamId, payload);
        break;
      case FRAME.PUSH_PROMISE:
        throw protocolError('PUSH_PROMISE, though push is not offered');
      default:
        this.#onConnectionFrame(type, flags, streamId, payload);
        break;
    }
  }

  #onConnectionFrame(type: number, flags: number, streamId: number, payload: Buffer): void {
    const isKnown = type === FRAME.SETTINGS || type === FRAME.PING || type === FRAME.GOAWAY;
    if (!isKnown) return;
    if (streamId !== 0) throw protocolError('a connection frame on a stream');
    if (type === FRAME.SETTINGS) this.#onSettings(flags, payload);
    else if (type === FRAME.PING) this.#onPing(flags, payload);
    else this.#onGoAway(payload);
  }

  /** Between HEADERS and the end of its block nothing else may come (RFC 9113 section 6.10). */
  #assertNoOpenBlock(type: number, streamId: number): void {
    const open = this.#assembler.openStreamId;
    const isContinuation = type === FRAME.CONTINUATION;
    if (isContinuation ? open !== streamId : open !== null) {
      throw protocolError('a header block was interrupted, or continued without one');
    }
  }

  #onHeaderBlock(block: ReturnType<HeaderBlockAssembler['headers']>): void {
    // Decoded in any case: the table has to stay in step with the peer's.
    if (block !== null) this.#frames.headers(block, this.#decoder.decode(block.bytes));
  }

  #onSettings(flags: number, payload: Buffer): void {
    if ((flags & FLAG.ACK) !== 0) {
      if (payload.length > 0) throw violation('FRAME_SIZE_ERROR', 'SETTINGS ACK with payload');
      return;
    }
    this.#guard.settingsArrived();
    readSettings(payload, this.#peer, this.#options.role === 'client' ? 'server' : 'client');
    this.#sender.applyPeerSettings(this.#peer);
    this.#sender.sendSettingsAck();
    this.#frames.setSendWindow(this.#peer.streamWindowBytes);
    if (this.#isReady) return;
    this.#isReady = true;
    if (this.#options.role === 'client') this.#options.onReady();
  }

  #onPing(flags: number, payload: Buffer): void {
    if (payload.length !== 8) throw violation('FRAME_SIZE_ERROR', 'PING is not 8 bytes');
    if ((flags & FLAG.ACK) === 0) {
      this.#guard.pingArrived();
      this.#sender.sendPing(payload, true);
    } else if (payload.equals(DRAIN_PING)) this.#nameLastStream();
  }

  #onGoAway(payload: Buffer): void {
    if (payload.length < 8) throw violation('FRAME_SIZE_ERROR', 'GOAWAY is too short');
    if (this.#phase === 'open') this.#phase = 'closing';
    this.#tellEnding();
    if (this.#options.role === 'server') return;
    const reason = errorReason(payload.readUInt32BE(4));
    this.#frames.refuseAbove(payload.readUInt32BE(0) & MAX_WINDOW_BYTES, reason);
    this.#endIfDone();
  }

  #tellEnding(): void {
    if (this.#hasToldEnding) return;
    this.#hasToldEnding = true;
    for (const stream of this.#streams.all()) stream.receiving.connectionEnding();
  }

  #startKeepAlive(options: KeepAliveOptions): KeepAlive {
    return new KeepAlive(options, {
      ping: () => this.ping(),
      onDead: () => {
        this.#finish(
          new HttpError('ping timeout', { reason: 'CANCEL', kind: 'silent', scope: 'connection' }),
        );
        this.#transport.destroy();
      },
    });
  }

  #startClock(times: ServerTimes = DEFAULT_SERVER_TIMES): SweepCell {
    const clock = new ServerClock(times, {
      streams: this.#streams,
      isReadingHead: () => !this.#isReady || this.#assembler.openStreamId !== null,
      onSlowHead: (error) => this.#fail(error),
      onIdle: () => this.close(),
    });
    return startSweeping(clock);
  }

  /** The second step of a server's orderly end: requests beyond this one were not looked at. */
  #nameLastStream(): void {
    if (this.#phase !== 'closing' || this.#streams.isLimited) return;
    this.#sender.sendGoAway(this.#streams.lastPeerId, 'NO_ERROR');
    this.#streams.limit();
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#phase !== 'closing' || this.#streams.size > 0) return;
    const isServer = this.#options.role === 'server';
    if (isServer && !this.#streams.isLimited) return;
    if (!isServer) this.#sender.sendGoAway(0, 'NO_ERROR');
    this.#end(null);
  }

  /** The peer broke a rule that the connection depends on (RFC 9113 section 5.4.1). */
  #fail(error: HttpError): void {
    if (this.#phase === 'closed') return;
    this.#sender.sendGoAway(this.#streams.lastPeerId, error.reason);
    this.#end(error);
  }

  /** Sends what is queued and closes; a peer that does not read is cut off. */
  #end(error: HttpError | null): void {
    if (this.#phase === 'closed') return;
    this.#sender.flush();
    const transport = this.#transport;
    transport.end();
    const timer = setTimeout(() => transport.destroy(), LINGER_MS).unref();
    transport.once('close', () => clearTimeout(timer));
    this.#finish(error);
  }

  #finish(error: HttpError | null): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#keepAlive?.stop();
    if (this.#clock !== null) stopSweeping(this.#clock);
    this.#streams.loseAll(error ?? connectionLost('connection closed'));
    this.#options.onClose(error);
  }
}

function protocolError(message: string): HttpError {
  return violation('PROTOCOL_ERROR', message);
}
