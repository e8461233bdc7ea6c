// hot path: every frame that is sent
import type { Duplex } from 'node:stream';
import { SlabWriter } from '../sockets/slab-writer.ts';
import { FRAME, FRAME_HEADER_BYTES, writeFrameHeader } from './frames.ts';

/** Enough under way to keep the link busy while the transport drains; well above its high-water mark. */
const CONGESTED_AT_BYTES = 262_144;

/** Frames on their way to the transport, in the order in which they were added. Payloads are copied. */
export class Outbox {
  readonly #transport: Duplex;
  readonly #writer: SlabWriter;
  #queuedInAll = 0;

  constructor(transport: Duplex) {
    this.#transport = transport;
    this.#writer = new SlabWriter(transport);
  }

  /** The peer reads slower than we write: wait for the transport's `drain`. */
  get isCongested(): boolean {
    return this.#transport.writableLength >= CONGESTED_AT_BYTES;
  }

  /** Bytes that were ever added. */
  get queuedInAll(): number {
    return this.#queuedInAll;
  }

  /** Bytes that the transport has not taken yet. */
  get waiting(): number {
    return this.#writer.gathered + this.#transport.writableLength;
  }

  data(streamId: number, payload: Buffer, flags: number): void {
    this.frame(FRAME.DATA, flags, streamId, payload);
  }

  frame(type: number, flags: number, streamId: number, payload: Buffer): void {
    this.#queuedInAll += FRAME_HEADER_BYTES + payload.length;
    const at = this.#writer.reserve(FRAME_HEADER_BYTES);
    writeFrameHeader(this.#writer.slab!, at, { length: payload.length, type, flags, streamId });
    this.#writer.append(payload);
  }

  /** A frame with its header. */
  whole(frame: Buffer): void {
    this.#queuedInAll += frame.length;
    this.#writer.append(frame);
  }

  /** Writes what was gathered in this turn of the event loop. */
  flush(): void {
    this.#writer.flush();
  }
}
