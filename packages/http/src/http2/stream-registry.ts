import { type HttpError, violation } from '../http-error.ts';
import type { Http2Stream } from './stream.ts';

/** Streams that this side has reset lately, on which frames may still be under way. */
const REMEMBERED_RESETS = 256;
/** RFC 9113 section 5.1.1. */
const LAST_STREAM_ID = 0x7fff_ffff;

/**
 * Where a stream is while it is open. V8 keeps the old tables of a `Map` that has grown and shrunk until its next full
 * collection: they keep these small cells alive then, and not the streams with whatever uses them.
 */
interface Cell {
  stream: Http2Stream | null;
}

/** The streams of a connection: those that are open, those that this side has reset, and which number comes next. */
export class StreamRegistry {
  readonly #role: 'client' | 'server';
  readonly #streams = new Map<number, Cell>();
  readonly #resets = new Set<number>();
  #nextId: number;
  #lastPeerId = 0;
  #isLimited = false;

  /** `firstStreamId` of a client. Default 1. */
  constructor(role: 'client' | 'server', firstStreamId = 1) {
    this.#role = role;
    this.#nextId = firstStreamId;
  }

  get size(): number {
    return this.#streams.size;
  }

  /** The last request of the peer that was looked at. */
  get lastPeerId(): number {
    return this.#lastPeerId;
  }

  /** A server that is ending has named its last request: later ones are ignored. */
  get isLimited(): boolean {
    return this.#isLimited;
  }

  limit(): void {
    this.#isLimited = true;
  }

  /** A client has numbers left. */
  get hasIdsLeft(): boolean {
    return this.#nextId <= LAST_STREAM_ID;
  }

  /** The number of a client's next stream. */
  takeId(): number {
    const id = this.#nextId;
    this.#nextId += 2;
    return id;
  }

  add(stream: Http2Stream): void {
    this.#streams.set(stream.id, { stream });
  }

  find(streamId: number): Http2Stream | null {
    return this.#streams.get(streamId)?.stream ?? null;
  }

  all(): Http2Stream[] {
    const streams: Http2Stream[] = [];
    for (const { stream } of this.#streams.values()) if (stream !== null) streams.push(stream);
    return streams;
  }

  /** The stream is over. */
  forget(stream: Http2Stream): void {
    const cell = this.#streams.get(stream.id);
    if (cell !== undefined) cell.stream = null;
    this.#streams.delete(stream.id);
    if (stream.arriving !== 'ended') this.rememberReset(stream.id);
  }

  /** Frames that are under way on it are passed over. */
  rememberReset(streamId: number): void {
    this.#resets.add(streamId);
    if (this.#resets.size <= REMEMBERED_RESETS) return;
    for (const oldest of this.#resets) {
      this.#resets.delete(oldest);
      return;
    }
  }

  /** The peer knows that the stream has ended: it sends nothing more on it. */
  forgetReset(streamId: number): void {
    this.#resets.delete(streamId);
  }

  wasReset(streamId: number): boolean {
    return this.#resets.has(streamId);
  }

  /** A client's request that is new, and becomes the last one. */
  isNext(streamId: number): boolean {
    return this.#role === 'server' && streamId > this.#lastPeerId && streamId % 2 === 1;
  }

  /** A request was looked at. */
  reached(streamId: number): void {
    this.#lastPeerId = streamId;
  }

  /** Only HEADERS may open a stream (RFC 9113 section 5.1). */
  assertNotIdle(streamId: number, frame: string): void {
    const isIdle = this.#role === 'server' ? streamId > this.#lastPeerId : streamId >= this.#nextId;
    // Streams that were ignored after the last GOAWAY were never counted.
    if (streamId === 0 || streamId % 2 === 0 || (isIdle && !this.#isLimited)) {
      throw violation('PROTOCOL_ERROR', `${frame} on stream ${streamId}, which is idle`);
    }
  }

  loseAll(error: HttpError): void {
    for (const stream of this.all()) stream.lost(error);
  }
}
