// hot path: finds the stream of every frame
import type { BodyLength, ServerExchange } from '../exchange.ts';
import { type ErrorReason, errorReason, HttpError, violation } from '../http-error.ts';
import { Http2ServerExchange } from './exchange.ts';
import type { FloodGuard } from './flood-guard.ts';
import type { ConnectionWindow } from './flow-control.ts';
import type { HeaderBlock } from './header-block.ts';
import { answerHead, requestHead } from './heads.ts';
import type { DecodedHeaders } from './hpack-decoder.ts';
import {
  contentLength,
  findAnswerProblem,
  findRequestProblem,
  isInterimAnswer,
  promisedByAnswer,
} from './message-rules.ts';
import type { FrameSender } from './sender.ts';
import { Http2Stream } from './stream.ts';
import type { StreamRegistry } from './stream-registry.ts';

/** More interim answers than anybody has a use for. */
const MAX_INTERIMS = 100;

export interface StreamFramesOptions {
  readonly role: 'client' | 'server';
  readonly maxConcurrentStreams: number;
  readonly takesExtendedConnect: boolean;
  readonly streams: StreamRegistry;
  readonly sender: FrameSender;
  readonly window: ConnectionWindow;
  readonly guard: FloodGuard;
  readonly onRequest: (exchange: ServerExchange) => void;
  /** The user of an exchange wants it to be the last one. */
  readonly onCloseAfterwards: () => void;
}

/**
 * Gives each frame to its stream, and judges it. A method throws an `HttpError` when the connection has to end; a
 * stream's own errors reset that stream.
 */
export class StreamFrames {
  readonly #options: StreamFramesOptions;
  readonly #role: 'client' | 'server';
  readonly #streams: StreamRegistry;
  readonly #sender: FrameSender;
  readonly #guard: FloodGuard;
  /** SETTINGS_INITIAL_WINDOW_SIZE of the peer. */
  #sendWindowBytes = 65_535;
  /** Of the DATA frame that is being read; null if nobody wants it. */
  #dataStream: Http2Stream | null = null;
  #dataBytes = 0;
  /** Streams whose listeners are to hear when this read is over. */
  readonly #inBatch: Http2Stream[] = [];
  #interims = 0;

  constructor(options: StreamFramesOptions) {
    this.#options = options;
    this.#role = options.role;
    this.#streams = options.streams;
    this.#sender = options.sender;
    this.#guard = options.guard;
  }

  /** A client's next stream. */
  open(request: NonNullable<ConstructorParameters<typeof Http2Stream>[3]>): Http2Stream {
    return this.#create(this.#streams.takeId(), request);
  }

  /** A read is over. */
  batch(): void {
    const streams = this.#inBatch;
    for (let i = 0; i < streams.length; i++) streams[i]!.receiving.batch();
    streams.length = 0;
  }

  /** The peer's SETTINGS_INITIAL_WINDOW_SIZE, which also moves the windows of open streams. */
  setSendWindow(bytes: number): void {
    const before = this.#sendWindowBytes;
    this.#sendWindowBytes = bytes;
    if (bytes === before) return;
    for (const stream of this.#streams.all()) {
      if (!stream.widen(bytes - before)) {
        throw violation('FLOW_CONTROL_ERROR', 'a window grew too large');
      }
    }
  }

  /** The peer's GOAWAY: later streams were not looked at, and may be tried elsewhere. */
  refuseAbove(lastStreamId: number, reason: ErrorReason): void {
    for (const stream of this.#streams.all()) {
      if (stream.id <= lastStreamId) continue;
      const text = 'the peer is closing the connection';
      stream.failed(
        new HttpError(text, { reason, kind: 'lost', scope: 'connection', isUnprocessed: true }),
      );
    }
  }

  headers(block: HeaderBlock, decoded: DecodedHeaders): void {
    const { streamId } = block;
    this.#guard.headersDecoded(decoded.bytes);
    const stream = this.#streams.find(streamId);
    if (stream !== null) {
      this.#existing(stream, block, decoded);
      return;
    }
    if (this.#streams.isNext(streamId)) {
      if (!this.#streams.isLimited) this.#request(block, decoded);
      return;
    }
    this.#streams.assertNotIdle(streamId, 'HEADERS');
    if (this.#streams.wasReset(streamId) || this.#streams.isLimited) return;
    throw violation('STREAM_CLOSED', 'HEADERS on a closed stream');
  }

  dataStart(streamId: number, length: number): void {
    this.#dataBytes = 0;
    this.#dataStream = null;
    if (streamId === 0) throw violation('PROTOCOL_ERROR', 'DATA on stream 0');
    this.#options.window.arrived(length);
    const stream = this.#streams.find(streamId);
    if (stream === null) {
      this.#streams.assertNotIdle(streamId, 'DATA');
      if (!this.#streams.wasReset(streamId)) this.#sender.refuse(streamId, 'STREAM_CLOSED');
      return;
    }
    const isWithinWindow = stream.window.arrived(length);
    if (stream.arriving === 'ended') this.#error(stream, 'STREAM_CLOSED', 'DATA after the end');
    else if (stream.arriving === 'awaiting-head') {
      this.#error(stream, 'PROTOCOL_ERROR', 'DATA before HEADERS');
    } else if (!isWithinWindow) {
      this.#error(stream, 'FLOW_CONTROL_ERROR', 'DATA beyond the window');
    } else this.#dataStream = stream;
  }

  dataPiece(piece: Buffer): void {
    this.#dataBytes += piece.length;
    const stream = this.#dataStream;
    if (stream === null) return;
    if (!stream.dataArrived(piece)) {
      this.#error(stream, 'PROTOCOL_ERROR', 'more DATA than content-length');
    } else this.#tellAfterRead(stream);
  }

  /** What was handed over may wait to be passed on with what else the read brings. */
  #tellAfterRead(stream: Http2Stream): void {
    if (stream.receiving.wantsBatches && this.#inBatch.at(-1) !== stream)
      this.#inBatch.push(stream);
  }

  dataEnd(isStreamEnd: boolean, padding: number): void {
    this.#guard.dataArrived(this.#dataBytes === 0 && !isStreamEnd);
    const stream = this.#dataStream;
    this.#dataStream = null;
    if (stream === null) return;
    if (padding > 0) stream.taken(padding);
    if (isStreamEnd && !stream.isOver) this.#end(stream, null);
  }

  reset(streamId: number, payload: Buffer): void {
    if (payload.length !== 4) throw badLength('RST_STREAM');
    const stream = this.#streams.find(streamId);
    if (stream === null) {
      this.#streams.assertNotIdle(streamId, 'RST_STREAM');
      return;
    }
    const reason = errorReason(payload.readUInt32BE(0));
    this.#countIfWasted(stream);
    const isUnprocessed = reason === 'REFUSED_STREAM';
    const text = `stream was reset: ${reason}`;
    stream.failed(new HttpError(text, { reason, kind: 'reset', scope: 'exchange', isUnprocessed }));
    // Only a stream that we reset may still see frames: its peer knows that this one has ended.
    this.#streams.forgetReset(streamId);
  }

  windowUpdate(streamId: number, payload: Buffer): void {
    if (payload.length !== 4) throw badLength('WINDOW_UPDATE');
    this.#guard.windowUpdateArrived();
    const bytes = payload.readUInt32BE(0) & 0x7fff_ffff;
    if (streamId === 0) {
      if (bytes === 0) throw violation('PROTOCOL_ERROR', 'WINDOW_UPDATE of 0');
      if (this.#sender.widen(bytes)) return;
      throw violation('FLOW_CONTROL_ERROR', 'the connection window grew too large');
    }
    const stream = this.#streams.find(streamId);
    if (stream === null) {
      this.#streams.assertNotIdle(streamId, 'WINDOW_UPDATE');
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
    if (streamId === 0) throw violation('PROTOCOL_ERROR', 'PRIORITY on stream 0');
    if (payload.length !== 5) {
      this.#errorOf(streamId, 'FRAME_SIZE_ERROR', 'PRIORITY is not 5 bytes');
    } else if ((payload.readUInt32BE(0) & 0x7fff_ffff) === streamId) {
      this.#errorOf(streamId, 'PROTOCOL_ERROR', 'a stream depends on itself');
    }
  }

  #create(id: number, request: ConstructorParameters<typeof Http2Stream>[3]): Http2Stream {
    const windows = { sendBytes: this.#sendWindowBytes, connection: this.#options.window };
    const stream = new Http2Stream(this.#sender, id, windows, request);
    this.#streams.add(stream);
    this.#guard.streamOpened();
    return stream;
  }

  #request(block: HeaderBlock, { headers, isTooLarge }: DecodedHeaders): void {
    const { streamId, isStreamEnd } = block;
    this.#streams.reached(streamId);
    this.#guard.assertControlLeaves();
    if (this.#streams.size >= this.#options.maxConcurrentStreams) {
      this.#guard.streamOpened();
      this.#errorOf(streamId, 'REFUSED_STREAM', 'too many streams');
      return;
    }
    const stream = this.#create(streamId, null);
    if (isTooLarge) {
      this.#refuseTooLarge(stream, block);
      return;
    }
    const promisedBytes = contentLength(headers);
    const { takesExtendedConnect } = this.#options;
    const problem = findRequestProblem(block, headers, { promisedBytes, takesExtendedConnect });
    if (problem !== null) {
      this.#error(stream, 'PROTOCOL_ERROR', problem);
      return;
    }
    const body: BodyLength = isStreamEnd ? 0 : promisedBytes;
    stream.headArrived(body);
    const request = { head: requestHead(headers), body };
    const { method, protocol } = request.head;
    if (method === 'CONNECT') stream.becomeTunnel(protocol !== undefined);
    const { onRequest, onCloseAfterwards } = this.#options;
    onRequest(new Http2ServerExchange(stream, request, onCloseAfterwards));
    if (isStreamEnd && !stream.isOver) this.#end(stream, null);
  }

  #refuseTooLarge(stream: Http2Stream, block: HeaderBlock): void {
    stream.sendHead([':status', '431'], true);
    if (block.isStreamEnd) stream.endArrived(null);
    else stream.reset('NO_ERROR');
  }

  /** An answer, or trailers. */
  #existing(stream: Http2Stream, block: HeaderBlock, decoded: DecodedHeaders): void {
    const { awaiting } = stream;
    if (stream.arriving === 'ended') {
      this.#error(stream, 'STREAM_CLOSED', 'HEADERS after the end');
      return;
    }
    const problem = findAnswerProblem(block, decoded, awaiting === null);
    if (problem !== null) this.#error(stream, 'PROTOCOL_ERROR', problem);
    else if (awaiting === null) this.#end(stream, decoded.headers);
    else if (isInterimAnswer(decoded.headers)) this.#interim(stream, decoded.headers);
    else this.#answer(stream, block, decoded.headers);
  }

  #interim(stream: Http2Stream, headers: readonly string[]): void {
    this.#interims += 1;
    if (this.#interims > MAX_INTERIMS * (1 + this.#streams.size)) {
      this.#error(stream, 'ENHANCE_YOUR_CALM', 'too many interim answers');
    } else stream.awaiting?.listener.onInterim?.(answerHead(headers));
  }

  #answer(stream: Http2Stream, block: HeaderBlock, headers: readonly string[]): void {
    const { listener, method } = stream.awaiting!;
    const promised = promisedByAnswer(headers, method, block.isStreamEnd);
    this.#interims = 0;
    if (Number.isNaN(promised)) {
      this.#error(stream, 'PROTOCOL_ERROR', 'content-length');
      return;
    }
    stream.headArrived(promised);
    // Where there is no body, there may still be trailers.
    const length = promised === 0 ? null : promised;
    listener.onHead(answerHead(headers), block.isStreamEnd ? 0 : length);
    this.#tellAfterRead(stream);
    if (block.isStreamEnd && !stream.isOver) this.#end(stream, null);
  }

  #end(stream: Http2Stream, trailers: string[] | null): void {
    if (!stream.endArrived(trailers)) {
      this.#error(stream, 'PROTOCOL_ERROR', 'less DATA than content-length');
    }
  }

  #errorOf(streamId: number, reason: ErrorReason, text: string): void {
    const stream = this.#streams.find(streamId);
    if (stream !== null) {
      this.#error(stream, reason, text);
      return;
    }
    if (this.#role === 'server') this.#guard.streamWasted();
    this.#streams.rememberReset(streamId);
    this.#sender.refuse(streamId, reason);
  }

  /** The peer broke a rule on one stream, which ends; the others go on (RFC 9113 section 5.4.2). */
  #error(stream: Http2Stream, reason: ErrorReason, text: string): void {
    if (this.#dataStream === stream) this.#dataStream = null;
    this.#countIfWasted(stream);
    if (!stream.isOver) this.#sender.refuse(stream.id, reason);
    stream.failed(new HttpError(text, { reason, kind: 'violation', scope: 'exchange' }));
  }

  #countIfWasted({ isUnused }: Http2Stream): void {
    if (this.#role === 'server' && isUnused) this.#guard.streamWasted();
  }
}

function badLength(frame: string): HttpError {
  return violation('FRAME_SIZE_ERROR', `${frame} has the wrong length`);
}
