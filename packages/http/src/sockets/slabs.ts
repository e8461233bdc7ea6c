// hot path: every write
/** Eight full TLS records. */
export const SLAB_BYTES = 131_072;
/** Free slabs that are kept: enough for the connections that write in one turn, 4 MiB at most. */
const MAX_FREE = 32;

const free: Buffer[] = [];

/** A buffer of `SLAB_BYTES` with arbitrary contents, for this thread to fill. */
export function takeSlab(): Buffer {
  return free.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
}

/** Gives a slab back. The caller must not touch it any more. */
export function giveSlab(slab: Buffer): void {
  if (free.length < MAX_FREE) free.push(slab);
}
