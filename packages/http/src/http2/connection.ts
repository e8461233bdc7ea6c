// hot path: every frame of a connection
import type { Duplex } from 'node:stream';
import { getHeader, type HeaderList } from '../http1/headers.ts';
import { readShared } from '../sockets/shared-reads.ts';
import { errorCodeName, Http2Error } from './error-codes.ts';
import { FloodGuard } from './flood-guard.ts';
import { FrameReader } from './frame-reader.ts';
import { CLIENT_PREFACE, FLAG, FRAME, MAX_WINDOW_BYTES } from './frames.ts';
import { type HeaderBlock, HeaderBlockAssembler } from './header-block.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { KeepAlive, type KeepAliveOptions } from './keep-alive.ts';
import { FrameSender } from './sender.ts';
import { defaultPeerSettings, type Http2Limits, readSettings } from './settings.ts';
import type { Http2Stream, Http2StreamListener } from './stream.ts';
import { StreamTable } from './stream-table.ts';

/** How long a connection that ends may take to send its last words, in ms. */
const LINGER_MS = 1000;

const KEEP_ALIVE_PING = Buffer.from('alive?  ', 'latin1');
const DRAIN_PING = Buffer.from('drained?', 'latin1');

export interface Http2ConnectionHandler {
  /** The peer's first SETTINGS have arrived. */
  onReady(): void;
  /** A server's next request. The handler sets `stream.listener`, and pauses the stream if it is not ready. */
  onRequest(stream: Http2Stream, headers: HeaderList): void;
  /** Once; with null after an orderly end. Every stream has heard before. */
  onClose(error: Http2Error | null): void;
}

export interface Http2ConnectionOptions {
  readonly role: 'client' | 'server';
  readonly limits: Http2Limits;
  /** Default: no pings. */
  readonly keepAlive?: KeepAliveOptions;
  readonly handler: Http2ConnectionHandler;
}

/** One end of an HTTP/2 connection (RFC 9113) over any byte stream. Push is not offered, priorities are ignored. */
export class Http2Connection {
  readonly #transport: Duplex;
  readonly #role: 'client' | 'server';
  readonly #handler: Http2ConnectionHandler;
  readonly #peer = defaultPeerSettings();
  readonly #guard = new FloodGuard();
  readonly #sender: FrameSender;
  readonly #reader: FrameReader;
  readonly #decoder: HpackDecoder;
  readonly #assembler: HeaderBlockAssembler;
  readonly #streams: StreamTable;
  readonly #keepAlive: KeepAlive | null;
  #isReady = false;
  /** `closing`: no new streams, and the connection ends with the last one. */
  #phase: 'open' | 'closing' | 'closed' = 'open';

  constructor(transport: Duplex, options: Http2ConnectionOptions) {
    const { role, limits, handler } = options;
    this.#transport = transport;
    this.#role = role;
    this.#handler = handler;
    this.#sender = new FrameSender(transport, {
      limits,
      guard: this.#guard,
      onForget: (stream) => this.#forget(stream),
    });
    this.#streams = new StreamTable({
      role,
      limits,
      sender: this.#sender,
      guard: this.#guard,
      onRequest: (stream, headers) => handler.onRequest(stream, headers),
    });
    this.#reader = new FrameReader(
      {
        onFrame: (type, flags, streamId, payload) => this.#onFrame(type, flags, streamId, payload),
        onDataStart: (streamId, length) => {
          this.#assertNoOpenBlock(FRAME.DATA, streamId);
          this.#streams.dataStart(streamId, length);
        },
        onDataPiece: (piece) => this.#streams.dataPiece(piece),
        onDataEnd: (isStreamEnd, padding) => this.#streams.dataEnd(isStreamEnd, padding),
      },
      { maxFrameBytes: limits.maxFrameBytes, expectsPreface: role === 'server' },
    );
    this.#decoder = new HpackDecoder(limits.maxHeaderListBytes);
    this.#assembler = new HeaderBlockAssembler(limits.maxHeaderListBytes);
    this.#keepAlive =
      options.keepAlive === undefined ? null : this.#startKeepAlive(options.keepAlive);
    if (role === 'client') this.#sender.sendRaw(CLIENT_PREFACE);
    this.#sender.sendSettings(limits, role);
    this.#listen();
  }

  /** Whether a client may open another stream now. */
  get isUsable(): boolean {
    return this.#phase === 'open' && this.#streams.size < this.#peer.maxConcurrentStreams;
  }

  /** False once either side has said that the connection ends, or it has. */
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

  /** Opens a stream as a client. Throws a retryable `Http2Error` when the connection takes no more: see `isUsable`. */
  request(
    headers: readonly string[],
    listener: Http2StreamListener,
    options: { readonly isEnd: boolean },
  ): Http2Stream {
    if (!this.isUsable) {
      throw new Http2Error('REFUSED_STREAM', 'the connection takes no more streams', true);
    }
    const stream = this.#streams.open(this.#peer.streamWindowBytes, listener);
    const method = getHeader(headers, ':method');
    stream.hasBodilessAnswer = method === 'HEAD' || method === 'CONNECT';
    stream.sendHeaders(headers, options.isEnd);
    return stream;
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
    if (this.#role === 'server') {
      // Requests that are on their way are still served: the last id is named one round trip later.
      this.#sender.sendGoAway(MAX_WINDOW_BYTES, 'NO_ERROR');
      this.#sender.sendPing(DRAIN_PING, false);
      setTimeout(() => this.#nameLastStream(), LINGER_MS).unref();
    } else this.#endIfDone();
  }

  /** Ends everything now. */
  abort(): void {
    this.#finish(new Http2Error('CANCEL', 'the connection was aborted'));
    this.#transport.destroy();
  }

  #listen(): void {
    const transport = this.#transport;
    readShared(transport, (bytes) => {
      this.#onData(bytes);
      return true;
    });
    transport.resume();
    transport.on('drain', () => this.#sender.wake());
    transport.on('end', () => {
      this.#finish(this.#streams.size === 0 ? null : new Http2Error('CANCEL', 'connection ended'));
      transport.end();
    });
    transport.on('error', (error) => {
      this.#finish(new Http2Error('CANCEL', error.message));
    });
    transport.on('close', () => this.#finish(new Http2Error('CANCEL', 'connection closed')));
  }

  #onData(chunk: Buffer): void {
    if (this.#phase === 'closed') return;
    this.#keepAlive?.heard();
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof Http2Error)) throw error;
      this.#fail(error);
    }
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
        this.#streams.priority(streamId, payload);
        break;
      case FRAME.RST_STREAM:
        this.#streams.reset(streamId, payload);
        break;
      case FRAME.WINDOW_UPDATE:
        this.#streams.windowUpdate(streamId, payload);
        break;
      case FRAME.PUSH_PROMISE:
        throw protocolError('PUSH_PROMISE, though push is not offered');
      default:
        this.#onConnectionFrame(type, flags, streamId, payload);
        break;
    }
  }

  #onConnectionFrame(type: number, flags: number, streamId: number, payload: Buffer): void {
    const isOurs = type === FRAME.SETTINGS || type === FRAME.PING || type === FRAME.GOAWAY;
    if (!isOurs) return;
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

  #onHeaderBlock(block: HeaderBlock | null): void {
    // Decoded in any case: the table has to stay in step with the peer's.
    if (block !== null) this.#streams.headers(block, this.#decoder.decode(block.bytes));
  }

  #onSettings(flags: number, payload: Buffer): void {
    if ((flags & FLAG.ACK) !== 0) {
      if (payload.length > 0) throw new Http2Error('FRAME_SIZE_ERROR', 'SETTINGS ACK with payload');
      return;
    }
    this.#guard.settingsArrived();
    const before = this.#peer.streamWindowBytes;
    readSettings(payload, this.#peer, this.#role === 'client' ? 'server' : 'client');
    this.#sender.applyPeerSettings(this.#peer);
    this.#sender.sendSettingsAck();
    this.#streams.setSendWindow(this.#peer.streamWindowBytes, before);
    if (this.#isReady) return;
    this.#isReady = true;
    this.#handler.onReady();
  }

  #onPing(flags: number, payload: Buffer): void {
    if (payload.length !== 8) throw new Http2Error('FRAME_SIZE_ERROR', 'PING is not 8 bytes');
    if ((flags & FLAG.ACK) === 0) this.#sender.sendPing(payload, true);
    else if (payload.equals(DRAIN_PING)) this.#nameLastStream();
  }

  #onGoAway(payload: Buffer): void {
    if (payload.length < 8) throw new Http2Error('FRAME_SIZE_ERROR', 'GOAWAY is too short');
    if (this.#phase === 'open') this.#phase = 'closing';
    if (this.#role === 'server') return;
    const reason = errorCodeName(payload.readUInt32BE(4));
    this.#streams.refuseAbove(payload.readUInt32BE(0) & MAX_WINDOW_BYTES, reason);
    this.#endIfDone();
  }

  #startKeepAlive(options: KeepAliveOptions): KeepAlive {
    return new KeepAlive(options, {
      ping: () => this.ping(),
      onDead: () => {
        this.#finish(new Http2Error('CANCEL', 'ping timeout'));
        this.#transport.destroy();
      },
    });
  }

  /** The second step of a server's orderly end: requests beyond this one were not looked at. */
  #nameLastStream(): void {
    if (this.#phase !== 'closing' || this.#streams.isLimited) return;
    this.#sender.sendGoAway(this.#streams.lastPeerStream, 'NO_ERROR');
    this.#streams.isLimited = true;
    this.#endIfDone();
  }

  #forget(stream: Http2Stream): void {
    this.#streams.forget(stream);
    if (this.#phase === 'closing') this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#phase !== 'closing' || this.#streams.size > 0) return;
    if (this.#role === 'server' && !this.#streams.isLimited) return;
    if (this.#role === 'client') this.#sender.sendGoAway(0, 'NO_ERROR');
    this.#end(null);
  }

  /** The peer broke a rule that the connection depends on (RFC 9113 section 5.4.1). */
  #fail(error: Http2Error): void {
    if (this.#phase === 'closed') return;
    this.#sender.sendGoAway(this.#streams.lastPeerStream, error.reason);
    this.#end(error);
  }

  /** Sends what is queued and closes; a peer that does not read is cut off. */
  #end(error: Http2Error | null): void {
    this.#sender.flush();
    const transport = this.#transport;
    transport.end();
    const timer = setTimeout(() => transport.destroy(), LINGER_MS).unref();
    transport.once('close', () => clearTimeout(timer));
    this.#finish(error);
  }

  #finish(error: Http2Error | null): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#keepAlive?.stop();
    this.#streams.closeAll(error ?? new Http2Error('CANCEL', 'connection closed'));
    this.#handler.onClose(error);
  }
}

function protocolError(message: string): Http2Error {
  return new Http2Error('PROTOCOL_ERROR', message);
}
