/** An unsigned number of 64 bits; each half is one of 32. */
export interface Hash64 {
  readonly high: number;
  readonly low: number;
}

/** What is left of 2^32 by 100. */
const TWO_32_BY_100 = 96;

/** The remainder by 100, which chooses a priority. */
export function percentOf({ high, low }: Hash64): number {
  return ((high % 100) * TWO_32_BY_100 + (low % 100)) % 100;
}

/** The remainder by a number below 2^26, so that no step leaves the exact integers. */
export function remainder({ high, low }: Hash64, by: number): number {
  return ((high % by) * (0x1_0000_0000 % by) + (low % by)) % by;
}

/** Spreads two hashes over one, so that equal ones do not cancel each other out. */
export function combine(before: Hash64 | null, { high, low }: Hash64): Hash64 {
  if (before === null) return { high, low };
  return {
    high: (((before.high << 1) | (before.low >>> 31)) ^ high) >>> 0,
    low: (((before.low << 1) | (before.high >>> 31)) ^ low) >>> 0,
  };
}

/** `random` gives numbers from 0 to below 1. */
export function randomHash(random: () => number): Hash64 {
  return {
    high: Math.floor(random() * 0x1_0000_0000),
    low: Math.floor(random() * 0x1_0000_0000),
  };
}

/** Sixteen hexadecimal digits. */
export function hexOf({ high, low }: Hash64): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}
