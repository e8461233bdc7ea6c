// hot path: every frame that is sent
import type { Duplex } from 'node:stream';
import { FRAME, FRAME_HEADER_BYTES, writeFrameHeader } from './frames.ts';

/** Frames are gathered here; payloads up to this size are copied to it, larger ones go out as they are. */
const SLAB_BYTES = 16_384;
const COPY_UP_TO_BYTES = 4096;

/** Gathered bytes that are not worth waiting for more. */
const FLUSH_AT_BYTES = 65_536;

/** Enough under way to keep the link busy while the transport drains; well above its high-water mark. */
const CONGESTED_AT_BYTES = 262_144;

/**
 * Gathers the frames of one turn of the event loop into one write: one TLS record and one system call for many
 * streams. Always: frames leave in the order in which they were added.
 *
 *     slab:  [ sent earlier | h d a t a h h d a | free ]
 *     parts: slab piece, large payload, slab piece, ...
 */
export class Outbox {
  readonly #transport: Duplex;
  #slab: Buffer | null = null;
  /** Where the slab piece that is being filled starts and ends. */
  #start = 0;
  #end = 0;
  #parts: Buffer[] = [];
  #bytes = 0;
  #isScheduled = false;
  readonly #onTurnEnd = (): void => {
    this.#isScheduled = false;
    this.flush();
  };

  constructor(transport: Duplex) {
    this.#transport = transport;
  }

  /** The peer reads slower than we write: wait for the transport's `drain`. */
  get isCongested(): boolean {
    return this.#transport.writableLength >= CONGESTED_AT_BYTES;
  }

  /** A DATA frame; the payload must not change until it has left. */
  data(streamId: number, payload: Buffer, flags: number): void {
    this.#frameHeader(payload.length, FRAME.DATA, flags, streamId);
    this.#payload(payload);
  }

  /** Any other frame, with a payload that is copied. */
  frame(type: number, flags: number, streamId: number, payload: Buffer): void {
    this.#frameHeader(payload.length, type, flags, streamId);
    this.#payload(payload.length > COPY_UP_TO_BYTES ? Buffer.from(payload) : payload);
  }

  /** A frame with its header. */
  whole(frame: Buffer): void {
    this.#payload(frame);
  }

  /** Writes what was gathered. */
  flush(): void {
    if (this.#bytes === 0) return;
    this.#closePiece();
    const parts = this.#parts;
    const transport = this.#transport;
    this.#bytes = 0;
    this.#parts = [];
    if (transport.destroyed || transport.writableEnded) return;
    if (parts.length === 1) {
      transport.write(parts[0]!);
      return;
    }
    transport.cork();
    for (const part of parts) transport.write(part);
    transport.uncork();
  }

  /** Gives back memory that an idle connection does not need. */
  trim(): void {
    if (this.#bytes === 0) this.#slab = null;
  }

  #frameHeader(length: number, type: number, flags: number, streamId: number): void {
    const slab = this.#room(FRAME_HEADER_BYTES);
    writeFrameHeader(slab, this.#end, { length, type, flags, streamId });
    this.#end += FRAME_HEADER_BYTES;
    this.#added(FRAME_HEADER_BYTES);
  }

  #payload(payload: Buffer): void {
    const { length } = payload;
    if (length === 0) return;
    if (length <= COPY_UP_TO_BYTES) {
      const slab = this.#room(length);
      slab.set(payload, this.#end);
      this.#end += length;
    } else {
      this.#closePiece();
      this.#parts.push(payload);
    }
    this.#added(length);
  }

  #room(bytes: number): Buffer {
    if (this.#slab === null || this.#end + bytes > SLAB_BYTES) {
      this.#closePiece();
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#start = 0;
      this.#end = 0;
    }
    return this.#slab;
  }

  #closePiece(): void {
    if (this.#end > this.#start && this.#slab !== null) {
      this.#parts.push(this.#slab.subarray(this.#start, this.#end));
    }
    this.#start = this.#end;
  }

  #added(bytes: number): void {
    this.#bytes += bytes;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#onTurnEnd);
  }

  /** Called after a frame is complete: a large gathering leaves at once. */
  flushIfLarge(): void {
    if (this.#bytes >= FLUSH_AT_BYTES) this.flush();
  }
}
