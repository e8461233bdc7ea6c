// hot path: every write
import type { Duplex } from 'node:stream';
import { giveSlab, SLAB_BYTES, takeSlab } from './slabs.ts';
import { atTurnEnd, type TurnListener } from './turn.ts';

/** A transport that does not take what is written holds no more slabs than this: what follows has memory of its size. */
const MAX_UNDER_WAY = 2;

/**
 * Gathers what is written in one turn of the event loop, or while the transport is busy, into few large writes: one TLS
 * record and one system call for many small pieces, and no buffer for each while they wait. Always: bytes leave in the order in which they came, and the caller's buffers may be reused at
 * once. An idle writer holds no memory.
 */
export class SlabWriter implements TurnListener {
  readonly #transport: Duplex;
  #slab: Buffer | null = null;
  #length = 0;
  #isScheduled = false;
  /** Slabs that the transport reads from, oldest first. */
  readonly #underWay: Buffer[] = [];

  constructor(transport: Duplex) {
    this.#transport = transport;
  }

  /** Bytes that wait for the end of the turn, or for the transport. */
  get gathered(): number {
    return this.#length;
  }

  /** Copies the bytes. They leave at the end of the turn or, if a write is under way then, after it or with a full slab. */
  append(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      const slab = this.#slabWithRoom(1);
      const length = Math.min(bytes.length - at, SLAB_BYTES - this.#length);
      slab.set(length === bytes.length ? bytes : bytes.subarray(at, at + length), this.#length);
      this.#length += length;
      at += length;
    }
    this.#schedule();
  }

  /** Room for a few bytes in one piece, to be filled at once: its place in `slab`. */
  reserve(length: number): number {
    this.#slabWithRoom(length);
    const at = this.#length;
    this.#length += length;
    this.#schedule();
    return at;
  }

  /** What is being filled. Not null after `reserve`. */
  get slab(): Buffer | null {
    return this.#slab;
  }

  /** Writes what was gathered. */
  flush(): void {
    const slab = this.#slab;
    if (slab === null) return;
    const length = this.#length;
    this.#slab = null;
    this.#length = 0;
    const transport = this.#transport;
    if (transport.destroyed || transport.writableEnded) {
      giveSlab(slab);
      return;
    }
    const bytes = slab.subarray(0, length);
    if (this.#underWay.length < MAX_UNDER_WAY) {
      this.#underWay.push(slab);
      transport.write(bytes, this.#onWritten);
      return;
    }
    transport.write(Buffer.from(bytes));
    giveSlab(slab);
  }

  #slabWithRoom(length: number): Buffer {
    if (this.#slab !== null && this.#length + length > SLAB_BYTES) this.flush();
    this.#slab ??= takeSlab();
    return this.#slab;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    atTurnEnd(this);
  }

  onTurnEnd(): void {
    this.#isScheduled = false;
    if (this.#underWay.length === 0) this.flush();
  }

  readonly #onWritten = (): void => {
    giveSlab(this.#underWay.shift()!);
    if (!this.#isScheduled) this.flush();
  };
}
