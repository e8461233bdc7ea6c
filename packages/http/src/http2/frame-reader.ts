// hot path: every byte that arrives
import { violation } from '../http-error.ts';
import { CLIENT_PREFACE, FLAG, FRAME, FRAME_HEADER_BYTES } from './frames.ts';

/** A frame that is neither DATA nor unknown is kept until it is whole; nobody needs larger ones. */
const MAX_CONTROL_BYTES = 65_536 + 16_384;

/** Takes frames apart from DATA whole, and DATA as it arrives. May throw an `HttpError` to end the connection. */
export interface FrameHandler {
  onFrame(type: number, flags: number, streamId: number, payload: Buffer): void;
  /** Before any payload of a DATA frame; `length` is what flow control counts, padding included. */
  onDataStart(streamId: number, length: number): void;
  /** A piece of the payload, without padding. */
  onDataPiece(piece: Buffer): void;
  /** The frame is complete; `padding` bytes of it were no data. */
  onDataEnd(isStreamEnd: boolean, padding: number): void;
}

/**
 * Cuts bytes into frames (RFC 9113 section 4). Always: one frame at a time, DATA is never copied or held back, and
 * memory is bounded by one control frame.
 */
export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #maxFrameBytes: number;
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES);
  #prefaceAt: number;
  #headerAt = 0;
  #frames = 0;
  #type = 0;
  #flags = 0;
  #streamId = 0;
  /** Payload still to come. */
  #left = 0;
  /** Of it, padding at the end; -1 until the octet that says how much. */
  #padding = 0;
  #paddedBytes = 0;
  #partial: Buffer | null = null;
  #isInPayload = false;
  #isFirst = true;

  /** With `expectsPreface`, as a server, the client's preface has to come first. */
  constructor(
    handler: FrameHandler,
    options: { readonly maxFrameBytes: number; readonly expectsPreface: boolean },
  ) {
    this.#handler = handler;
    this.#maxFrameBytes = options.maxFrameBytes;
    this.#prefaceAt = options.expectsPreface ? 0 : CLIENT_PREFACE.length;
  }

  /** Throws an `HttpError` when the connection has to end. */
  push(chunk: Buffer): void {
    let at = this.#prefaceAt < CLIENT_PREFACE.length ? this.#readPreface(chunk) : 0;
    while (at < chunk.length || (this.#isInPayload && this.#left === 0)) {
      if (!this.#isInPayload) {
        at = this.#readHeader(chunk, at);
        continue;
      }
      at = this.#type === FRAME.DATA ? this.#readData(chunk, at) : this.#readPayload(chunk, at);
    }
  }

  /** How many have begun to arrive. */
  get frames(): number {
    return this.#frames;
  }

  #readPreface(chunk: Buffer): number {
    const length = Math.min(chunk.length, CLIENT_PREFACE.length - this.#prefaceAt);
    const from = this.#prefaceAt;
    if (chunk.compare(CLIENT_PREFACE, from, from + length, 0, length) !== 0) {
      throw violation('PROTOCOL_ERROR', 'the client preface is missing');
    }
    this.#prefaceAt += length;
    return length;
  }

  #readHeader(chunk: Buffer, from: number): number {
    let header = chunk;
    let at = from;
    if (this.#headerAt > 0 || chunk.length - from < FRAME_HEADER_BYTES) {
      const length = Math.min(FRAME_HEADER_BYTES - this.#headerAt, chunk.length - from);
      chunk.copy(this.#header, this.#headerAt, from, from + length);
      this.#headerAt += length;
      if (this.#headerAt < FRAME_HEADER_BYTES) return from + length;
      this.#headerAt = 0;
      header = this.#header;
      at = 0;
      from += length - FRAME_HEADER_BYTES;
    }
    this.#left = (header[at]! << 16) | (header[at + 1]! << 8) | header[at + 2]!;
    this.#type = header[at + 3]!;
    this.#flags = header[at + 4]!;
    this.#streamId = header.readUInt32BE(at + 5) & 0x7fff_ffff;
    this.#startFrame();
    return from + FRAME_HEADER_BYTES;
  }

  #startFrame(): void {
    if (this.#left > this.#maxFrameBytes) {
      throw violation('FRAME_SIZE_ERROR', `a frame of ${this.#left} bytes`);
    }
    if (this.#isFirst && this.#type !== FRAME.SETTINGS) {
      throw violation('PROTOCOL_ERROR', 'the first frame is not SETTINGS');
    }
    this.#isFirst = false;
    this.#frames += 1;
    this.#isInPayload = true;
    this.#padding = 0;
    this.#paddedBytes = 0;
    if (this.#type === FRAME.DATA) {
      this.#handler.onDataStart(this.#streamId, this.#left);
      if ((this.#flags & FLAG.PADDED) !== 0) {
        if (this.#left === 0) throw violation('FRAME_SIZE_ERROR', 'no room for padding');
        this.#padding = -1;
      }
    } else if (this.#type <= FRAME.CONTINUATION && this.#left > MAX_CONTROL_BYTES) {
      throw violation('ENHANCE_YOUR_CALM', `a control frame of ${this.#left} bytes`);
    }
  }

  #readData(chunk: Buffer, from: number): number {
    let at = from;
    if (this.#padding === -1) {
      this.#padding = chunk[at]!;
      this.#paddedBytes = this.#padding + 1;
      this.#left -= 1;
      at += 1;
      if (this.#padding > this.#left) {
        throw violation('PROTOCOL_ERROR', 'more padding than payload');
      }
    }
    const length = Math.min(this.#left, chunk.length - at);
    const data = Math.min(length, this.#left - this.#padding);
    if (data > 0) {
      const isWhole = at === 0 && data === chunk.length;
      this.#handler.onDataPiece(isWhole ? chunk : chunk.subarray(at, at + data));
    }
    this.#left -= length;
    if (this.#left < this.#padding) this.#padding = this.#left;
    if (this.#left === 0) {
      this.#isInPayload = false;
      this.#handler.onDataEnd((this.#flags & FLAG.END_STREAM) !== 0, this.#paddedBytes);
    }
    return at + length;
  }

  #readPayload(chunk: Buffer, at: number): number {
    const length = Math.min(this.#left, chunk.length - at);
    this.#left -= length;
    const end = at + length;
    // Frames of unknown types are skipped (RFC 9113 section 5.5), but not inside a header block.
    const isKnown = this.#type <= FRAME.CONTINUATION;
    if (isKnown && (this.#left > 0 || this.#partial !== null)) {
      this.#partial ??= Buffer.allocUnsafe(length + this.#left);
      const done = this.#partial.length - this.#left - length;
      chunk.copy(this.#partial, done, at, end);
    }
    if (this.#left > 0) return end;
    const payload = this.#partial ?? (isKnown ? chunk.subarray(at, end) : EMPTY);
    this.#partial = null;
    this.#isInPayload = false;
    this.#handler.onFrame(this.#type, this.#flags, this.#streamId, payload);
    return end;
  }
}

const EMPTY = Buffer.alloc(0);
