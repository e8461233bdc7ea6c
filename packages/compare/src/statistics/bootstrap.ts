import { seededRandom } from './random.ts';

/** An estimate with its 95 % interval; `low` and `high` equal it where nothing varies. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2_000;
const TAIL = 0.025;
/** Not of the run: the interval of the same samples is always the same. */
const SEED = 20_261;

/**
 * The 95 % interval of a statistic of blocks, by the percentile bootstrap: blocks are drawn with replacement, so what
 * was measured in one block stays together. Null if the statistic is not a number, or there are fewer than two blocks.
 */
export function bootstrap<T>(
  blocks: readonly T[],
  statistic: (blocks: readonly T[]) => number,
): Estimate | null {
  const value = statistic(blocks);
  if (blocks.length < 2 || !Number.isFinite(value)) return null;
  const random = seededRandom(SEED);
  const drawn = Array.from({ length: RESAMPLES }, () =>
    statistic(blocks.map(() => blocks[Math.floor(random() * blocks.length)]!)),
  )
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  const at = (part: number): number => drawn[Math.round(part * (drawn.length - 1))]!;
  return { value, low: at(TAIL), high: at(1 - TAIL) };
}

/** Half of the interval's width, as a part of the estimate; Infinity of nothing. */
export function relativeHalfWidth(estimate: Estimate | null): number {
  if (estimate === null || estimate.value === 0) return Number.POSITIVE_INFINITY;
  return (estimate.high - estimate.low) / 2 / Math.abs(estimate.value);
}
