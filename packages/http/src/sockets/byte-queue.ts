// hot path: what arrives while its reader is busy
/** Blocks grow by doubling up to this: small pieces cost their bytes, not a buffer each. */
const LARGEST_BLOCK_BYTES = 65_536;
/** Pieces from this size on keep a buffer of their own. */
const OWN_BUFFER_FROM_BYTES = 4096;

/**
 * Bytes that wait, in order. Always: it holds at most about twice the bytes that were put in, however small the pieces
 * were.
 */
export class ByteQueue {
  readonly #blocks: Buffer[] = [];
  /** Bytes used of the last block; the blocks before it are full. */
  #used = 0;
  #length = 0;

  /** Bytes that wait. */
  get length(): number {
    return this.#length;
  }

  /** Copies the piece, whose memory may be reused at once. */
  push(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#length += piece.length;
    const last = this.#blocks.at(-1);
    const room = last === undefined ? 0 : last.length - this.#used;
    if (room >= piece.length) {
      last!.set(piece, this.#used);
      this.#used += piece.length;
      return;
    }
    if (last !== undefined && this.#used + piece.length <= LARGEST_BLOCK_BYTES && isSmall(piece)) {
      this.#grow(last, piece);
      return;
    }
    this.#seal();
    // Not from the pool that small buffers share: a piece would keep all of it alive.
    const block = Buffer.allocUnsafeSlow(piece.length);
    block.set(piece);
    this.#blocks.push(block);
    this.#used = piece.length;
  }

  /** The oldest bytes, in pieces of any size; undefined if nothing waits. */
  shift(): Buffer | undefined {
    if (this.#blocks.length === 1) this.#seal();
    const block = this.#blocks.shift();
    if (block !== undefined) this.#length -= block.length;
    if (this.#blocks.length === 0) this.#used = 0;
    return block;
  }

  /** The rest of what `shift` gave last: it is the oldest again. */
  putBack(rest: Buffer): void {
    if (this.#blocks.length === 0) this.#used = rest.length;
    this.#blocks.unshift(rest);
    this.#length += rest.length;
  }

  #grow(last: Buffer, piece: Buffer): void {
    const wanted = Math.min(LARGEST_BLOCK_BYTES, 2 * (this.#used + piece.length));
    const block = Buffer.allocUnsafeSlow(wanted);
    block.set(last.subarray(0, this.#used));
    block.set(piece, this.#used);
    this.#used += piece.length;
    this.#blocks[this.#blocks.length - 1] = block;
  }

  /** The last block without its room. */
  #seal(): void {
    const last = this.#blocks.at(-1);
    if (last !== undefined && this.#used < last.length) {
      this.#blocks[this.#blocks.length - 1] = last.subarray(0, this.#used);
    }
  }
}

function isSmall(piece: Buffer): boolean {
  return piece.length < OWN_BUFFER_FROM_BYTES;
}
