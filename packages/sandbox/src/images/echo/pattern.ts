import { Readable } from 'node:stream';

const BLOCK_BYTES = 64 * 1024;
/** A period that no power of two divides shows every lost, doubled or swapped block. */
const PERIOD = 251;

/** `bytes` bytes whose value at offset n is n modulo 251. */
export function patternStream(bytes: number): Readable {
  return Readable.from(blocks(bytes), { objectMode: false });
}

function* blocks(bytes: number): Generator<Buffer> {
  const block = Buffer.from(
    Array.from({ length: BLOCK_BYTES + PERIOD }, (_, offset) => offset % PERIOD),
  );
  for (let offset = 0; offset < bytes; offset += BLOCK_BYTES) {
    const start = offset % PERIOD;
    yield block.subarray(start, start + Math.min(BLOCK_BYTES, bytes - offset));
  }
}
