// hot path: every request with a body that cannot be passed on at once, or may be sent again

/** A body that comes byte by byte would otherwise be held in as many buffers. */
const MAX_BLOCK_BYTES = 64 * 1024;

/**
 * Most that a thread holds of all requests for another attempt, or for a copy. Beyond it requests are not sent again
 * and copies are given up; nothing is lost.
 */
const MAX_SPARE_BYTES = 64 * 1024 * 1024;
let bytesOfThread = 0;

/** Whether so many more may be held of what could be done without. */
export function maySpare(bytes: number): boolean {
  return bytesOfThread + bytes <= MAX_SPARE_BYTES;
}

/** Of all requests, read or not. */
export function heldByThread(): number {
  return bytesOfThread;
}

interface Block {
  readonly buffer: Buffer;
  length: number;
}

/** Copies of bytes in order, and a reader's place among them. */
export class HeldBytes {
  #blocks: Block[] = [];
  #bytes = 0;
  #block = 0;
  #offset = 0;

  /** How many are held, read or not. */
  get bytes(): number {
    return this.#bytes;
  }

  /** True when the reader stands at the end. */
  get isRead(): boolean {
    const last = this.#blocks.length - 1;
    return (
      this.#block > last || (this.#block === last && this.#offset === this.#blocks[last]!.length)
    );
  }

  append(chunk: Buffer): void {
    const last = this.#blocks.at(-1);
    const room = last === undefined ? 0 : last.buffer.length - last.length;
    const fitting = Math.min(room, chunk.length);
    if (last !== undefined && fitting > 0)
      last.length += chunk.copy(last.buffer, last.length, 0, fitting);
    if (fitting < chunk.length) {
      const left = chunk.length - fitting;
      // As much again as there is, so that many small pieces become few blocks.
      const buffer = Buffer.allocUnsafe(Math.max(left, Math.min(this.#bytes, MAX_BLOCK_BYTES)));
      this.#blocks.push({ buffer, length: chunk.copy(buffer, 0, fitting) });
    }
    this.#count(chunk.length);
  }

  /** The next piece, which the reader has then read. Only while not all is read. */
  read(): Buffer {
    const block = this.#blocks[this.#block]!;
    if (this.#offset === block.length) {
      this.#block += 1;
      this.#offset = 0;
      return this.read();
    }
    const piece = block.buffer.subarray(this.#offset, block.length);
    this.#offset = block.length;
    return piece;
  }

  readAll(): void {
    this.#block = Math.max(0, this.#blocks.length - 1);
    this.#offset = this.#blocks.at(-1)?.length ?? 0;
  }

  rewind(): void {
    this.#block = 0;
    this.#offset = 0;
  }

  /** Lets go of what was read. */
  dropRead(): void {
    if (this.isRead) this.drop();
    else for (; this.#block > 0; this.#block--) this.#count(-this.#blocks.shift()!.length);
  }

  drop(): void {
    this.#blocks = [];
    this.#count(-this.#bytes);
    this.rewind();
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    bytesOfThread += bytes;
  }
}
