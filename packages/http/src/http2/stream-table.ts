// hot path: finds the stream of every frame
import type { HeaderList } from '../http1/headers.ts';
import { type ErrorCodeName, errorCodeName, Http2Error } from './error-codes.ts';
import type { FloodGuard } from './flood-guard.ts';
import type { HeaderBlock } from './header-block.ts';
import type { DecodedHeaders } from './hpack-decoder.ts';
import { contentLength, findMalformed } from './message-rules.ts';
import type { FrameSender } from './sender.ts';
import type { Http2Limits } from './settings.ts';
import { Http2Stream, type Http2StreamListener } from './stream.ts';

/** Streams that this side has reset lately, on which frames may still be under way. */
const REMEMBERED_RESETS = 256;

/**
 * Where a stream is while it is open. Outgrown tables of a `Map` that has lived long are alive to the garbage
 * collector's short runs, with all they point to: that is these places, and not the streams with whatever uses them.
 * See `OpenSet` of the ztunnel for what it costs.
 */
interface Place {
  stream: Http2Stream | null;
}

const NOBODY: Http2StreamListener = {
  onHeaders: () => undefined,
  onData: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};

/**
 * The streams of a connection, and what arrives for them. A method throws an `Http2Error` when the connection has to
 * end; a stream's own errors reset that stream.
 */
export class StreamTable {
  /** After an orderly end was announced: later streams are ignored. */
  isLimited = false;
  lastPeerStream = 0;
  readonly #role: 'client' | 'server';
  readonly #limits: Http2Limits;
  readonly #sender: FrameSender;
  readonly #guard: FloodGuard;
  readonly #onRequest: (stream: Http2Stream, headers: HeaderList) => void;
  readonly #streams = new Map<number, Place>();
  readonly #resets = new Set<number>();
  #nextStream = 1;
  #sendWindowBytes = 65_535;
  /** Of the DATA frame that is being read; null if nobody wants it. */
  #dataStream: Http2Stream | null = null;
  #dataLength = 0;

  constructor(options: {
    readonly role: 'client' | 'server';
    readonly limits: Http2Limits;
    readonly sender: FrameSender;
    readonly guard: FloodGuard;
    readonly onRequest: (stream: Http2Stream, headers: HeaderList) => void;
  }) {
    this.#role = options.role;
    this.#limits = options.limits;
    this.#sender = options.sender;
    this.#guard = options.guard;
    this.#onRequest = options.onRequest;
  }

  get size(): number {
    return this.#streams.size;
  }

  /** A client's next stream. */
  open(sendWindowBytes: number, listener: Http2StreamListener): Http2Stream {
    const stream = this.#create(this.#nextStream, sendWindowBytes, listener);
    this.#nextStream += 2;
    return stream;
  }

  #find(streamId: number): Http2Stream | null {
    return this.#streams.get(streamId)?.stream ?? null;
  }

  #all(): Http2Stream[] {
    const streams: Http2Stream[] = [];
    for (const { stream } of this.#streams.values()) if (stream !== null) streams.push(stream);
    return streams;
  }

  forget(stream: Http2Stream): void {
    const place = this.#streams.get(stream.id);
    if (place !== undefined) place.stream = null;
    this.#streams.delete(stream.id);
    if (!stream.hasReceivedEnd) this.#rememberReset(stream.id);
  }

  #rememberReset(streamId: number): void {
    this.#resets.add(streamId);
    if (this.#resets.size <= REMEMBERED_RESETS) return;
    for (const oldest of this.#resets) {
      this.#resets.delete(oldest);
      return;
    }
  }

  closeAll(error: Http2Error): void {
    for (const stream of this.#all()) stream.receiveClose(error);
  }

  /** The peer's SETTINGS_INITIAL_WINDOW_SIZE, which also moves the windows of open streams. */
  setSendWindow(bytes: number, before: number): void {
    this.#sendWindowBytes = bytes;
    if (bytes === before) return;
    for (const stream of this.#all()) {
      if (!stream.widen(bytes - before)) {
        throw new Http2Error('FLOW_CONTROL_ERROR', 'a window grew too large');
      }
    }
  }

  /** The peer's GOAWAY: later streams were not looked at, and may be tried elsewhere. */
  refuseAbove(lastStreamId: number, reason: ErrorCodeName): void {
    for (const stream of this.#all()) {
      if (stream.id <= lastStreamId) continue;
      stream.receiveClose(new Http2Error(reason, 'the peer is closing the connection', true));
    }
  }

  headers(block: HeaderBlock, decoded: DecodedHeaders): void {
    const { streamId } = block;
    const stream = this.#find(streamId);
    if (stream !== null) {
      this.#existing(stream, block, decoded);
      return;
    }
    if (this.#role === 'server' && streamId > this.lastPeerStream && streamId % 2 === 1) {
      if (!this.isLimited) this.#request(block, decoded);
      return;
    }
    this.#assertNotIdle(streamId, 'HEADERS');
    if (this.#resets.has(streamId) || this.isLimited) return;
    throw new Http2Error('STREAM_CLOSED', 'HEADERS on a closed stream');
  }

  dataStart(streamId: number, length: number): void {
    this.#dataLength = length;
    this.#dataStream = null;
    if (streamId === 0) throw new Http2Error('PROTOCOL_ERROR', 'DATA on stream 0');
    this.#sender.receiveWindow -= length;
    if (this.#sender.receiveWindow < 0) {
      throw new Http2Error('FLOW_CONTROL_ERROR', 'DATA beyond the connection window');
    }
    const stream = this.#find(streamId);
    if (stream === null) {
      this.#assertNotIdle(streamId, 'DATA');
      if (!this.#resets.has(streamId)) this.#sender.sendResetOf(streamId, 'STREAM_CLOSED');
      return;
    }
    stream.receiveWindow -= length;
    if (stream.hasReceivedEnd) this.#error(stream, 'STREAM_CLOSED', 'DATA after the end');
    else if (!stream.hasReceivedHead) this.#error(stream, 'PROTOCOL_ERROR', 'DATA before HEADERS');
    else if (stream.receiveWindow < 0) {
      this.#error(stream, 'FLOW_CONTROL_ERROR', 'DATA beyond the window');
    } else this.#dataStream = stream;
  }

  dataPiece(piece: Buffer): void {
    const stream = this.#dataStream;
    if (stream === null) {
      this.#sender.creditConnection(piece.length);
      return;
    }
    if (stream.promisedBytes !== null) {
      stream.promisedBytes -= piece.length;
      if (stream.promisedBytes < 0) {
        this.#sender.creditConnection(piece.length);
        this.#error(stream, 'PROTOCOL_ERROR', 'more DATA than content-length');
        return;
      }
    }
    stream.receive(piece);
  }

  dataEnd(isStreamEnd: boolean, padding: number): void {
    this.#guard.dataArrived(this.#dataLength === 0 && !isStreamEnd);
    const stream = this.#dataStream;
    this.#dataStream = null;
    if (stream === null) {
      this.#sender.creditConnection(padding);
      return;
    }
    if (padding > 0) stream.receivePadding(padding);
    if (isStreamEnd && !stream.isClosed) this.#end(stream);
  }

  reset(streamId: number, payload: Buffer): void {
    if (payload.length !== 4) throw badLength('RST_STREAM');
    const stream = this.#find(streamId);
    if (stream === null) {
      this.#assertNotIdle(streamId, 'RST_STREAM');
      return;
    }
    const reason = errorCodeName(payload.readUInt32BE(0));
    if (this.#role === 'server' && !stream.hasSentHeaders) this.#guard.streamWasted();
    const text = `stream was reset: ${reason}`;
    stream.receiveClose(new Http2Error(reason, text, reason === 'REFUSED_STREAM'));
    // Only a stream that we reset may still see frames: its peer knows that this one has ended.
    this.#resets.delete(streamId);
  }

  windowUpdate(streamId: number, payload: Buffer): void {
    if (payload.length !== 4) throw badLength('WINDOW_UPDATE');
    this.#guard.windowUpdateArrived();
    const bytes = payload.readUInt32BE(0) & 0x7fff_ffff;
    if (streamId === 0) {
      if (bytes === 0) throw new Http2Error('PROTOCOL_ERROR', 'WINDOW_UPDATE of 0');
      if (this.#sender.widen(bytes)) return;
      throw new Http2Error('FLOW_CONTROL_ERROR', 'the connection window grew too large');
    }
    const stream = this.#find(streamId);
    if (stream === null) {
      this.#assertNotIdle(streamId, 'WINDOW_UPDATE');
      return;
    }
    if (bytes === 0) this.#error(stream, 'PROTOCOL_ERROR', 'WINDOW_UPDATE of 0');
    else if (!stream.widen(bytes)) {
      this.#error(stream, 'FLOW_CONTROL_ERROR', 'the window grew too large');
    }
  }

  /** Checked and otherwise ignored (RFC 9113 section 5.3.2). */
  priority(streamId: number, payload: Buffer): void {
    this.#guard.priorityArrived();
    if (streamId === 0) throw new Http2Error('PROTOCOL_ERROR', 'PRIORITY on stream 0');
    if (payload.length !== 5) {
      this.#errorOf(streamId, 'FRAME_SIZE_ERROR', 'PRIORITY is not 5 bytes');
    } else if ((payload.readUInt32BE(0) & 0x7fff_ffff) === streamId) {
      this.#errorOf(streamId, 'PROTOCOL_ERROR', 'a stream depends on itself');
    }
  }

  #create(id: number, sendWindowBytes: number, listener: Http2StreamListener): Http2Stream {
    const windows = { send: sendWindowBytes, receive: this.#limits.streamWindowBytes };
    const stream = new Http2Stream(this.#sender, id, windows, listener);
    this.#streams.set(id, { stream });
    this.#guard.streamOpened();
    return stream;
  }

  #request(block: HeaderBlock, { headers, isTooLarge }: DecodedHeaders): void {
    const { streamId } = block;
    this.lastPeerStream = streamId;
    this.#guard.assertControlLeaves();
    if (this.#streams.size >= (this.#limits.maxConcurrentStreams ?? 0)) {
      this.#guard.streamOpened();
      this.#errorOf(streamId, 'REFUSED_STREAM', 'too many streams');
      return;
    }
    const stream = this.#create(streamId, this.#sendWindowBytes, NOBODY);
    stream.hasReceivedHead = true;
    if (isTooLarge) {
      this.#refuseTooLarge(stream, block);
      return;
    }
    stream.promisedBytes = contentLength(headers);
    const problem = findRequestProblem(block, headers, stream.promisedBytes);
    if (problem !== null) {
      this.#error(stream, 'PROTOCOL_ERROR', problem);
      return;
    }
    this.#onRequest(stream, headers);
    if (block.isStreamEnd && !stream.isClosed) stream.receiveEnd();
  }

  #refuseTooLarge(stream: Http2Stream, block: HeaderBlock): void {
    stream.sendHeaders([':status', '431'], true);
    if (block.isStreamEnd) stream.receiveEnd();
    else stream.reset('NO_ERROR');
  }

  /** An answer, or trailers. */
  #existing(stream: Http2Stream, block: HeaderBlock, decoded: DecodedHeaders): void {
    if (stream.hasReceivedEnd) {
      this.#error(stream, 'STREAM_CLOSED', 'HEADERS after the end');
      return;
    }
    const problem = findAnswerProblem(stream, block, decoded);
    if (problem !== null) {
      this.#error(stream, 'PROTOCOL_ERROR', problem);
      return;
    }
    const { headers } = decoded;
    if (!stream.hasReceivedHead) {
      if (isInterimAnswer(headers)) return;
      stream.hasReceivedHead = true;
      const hasBody = !stream.hasBodilessAnswer && !block.isStreamEnd;
      stream.promisedBytes = hasBody ? contentLength(headers) : null;
    }
    stream.listener.onHeaders(headers);
    if (block.isStreamEnd && !stream.isClosed) this.#end(stream);
  }

  #end(stream: Http2Stream): void {
    if (stream.promisedBytes === null || stream.promisedBytes === 0) stream.receiveEnd();
    else this.#error(stream, 'PROTOCOL_ERROR', 'less DATA than content-length');
  }

  #assertNotIdle(streamId: number, frame: string): void {
    const isOfPeer = streamId % 2 === 1;
    const isIdle =
      this.#role === 'server' ? streamId > this.lastPeerStream : streamId >= this.#nextStream;
    // Streams that were ignored after the last GOAWAY were never counted.
    if (streamId === 0 || !isOfPeer || (isIdle && !this.isLimited)) {
      throw new Http2Error('PROTOCOL_ERROR', `${frame} on stream ${streamId}, which is idle`);
    }
  }

  #errorOf(streamId: number, reason: ErrorCodeName, text: string): void {
    const stream = this.#find(streamId);
    if (stream !== null) {
      this.#error(stream, reason, text);
      return;
    }
    if (this.#role === 'server') this.#guard.streamWasted();
    this.#rememberReset(streamId);
    this.#sender.sendResetOf(streamId, reason);
  }

  /** The peer broke a rule on one stream, which ends; the others go on (RFC 9113 section 5.4.2). */
  #error(stream: Http2Stream, reason: ErrorCodeName, text: string): void {
    if (this.#dataStream === stream) this.#dataStream = null;
    if (this.#role === 'server' && !stream.hasSentHeaders) this.#guard.streamWasted();
    if (!stream.isClosed) this.#sender.sendResetOf(stream.id, reason);
    stream.receiveClose(new Http2Error(reason, text));
  }
}

function badLength(frame: string): Http2Error {
  return new Http2Error('FRAME_SIZE_ERROR', `${frame} has the wrong length`);
}

function isInterimAnswer(headers: readonly string[]): boolean {
  return headers[0] === ':status' && headers[1]!.startsWith('1');
}

/** Trailers end the stream, an interim answer does not (RFC 9113 section 8.1). */
function findAnswerProblem(
  { hasReceivedHead: isTrailers }: Http2Stream,
  block: HeaderBlock,
  { headers, isTooLarge }: DecodedHeaders,
): string | null {
  if (isTooLarge) return 'the header list is too large';
  if (block.dependsOnItself) return 'a stream depends on itself';
  const mustEnd = isTrailers && !block.isStreamEnd;
  const mustNotEnd = !isTrailers && block.isStreamEnd && isInterimAnswer(headers);
  if (mustEnd || mustNotEnd) return 'HEADERS where none may be';
  return findMalformed(headers, isTrailers ? 'trailers' : 'response');
}

function findRequestProblem(
  block: HeaderBlock,
  headers: readonly string[],
  promisedBytes: number | null,
): string | null {
  if (block.dependsOnItself) return 'a stream depends on itself';
  if (Number.isNaN(promisedBytes)) return 'content-length';
  if (block.isStreamEnd && (promisedBytes ?? 0) > 0) return 'no body, but content-length';
  return findMalformed(headers, 'request');
}
