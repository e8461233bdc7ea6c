/**
 * Times in buckets of which each ends 2 % above the one before, so that histograms of several loads can be added. As JSON
 * an object from bucket to count.
 */
export type Histogram = Readonly<Record<string, number>>;

const GROWTH = Math.log(1.02);
const FIRST_END_MS = 0.01;

/** The histogram of times in milliseconds. */
export function histogramOf(timesMs: readonly number[]): Histogram {
  const counts: Record<string, number> = {};
  for (const timeMs of timesMs) {
    const bucket = Math.max(0, Math.ceil(Math.log(timeMs / FIRST_END_MS) / GROWTH));
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  return counts;
}

export function addHistograms(histograms: readonly Histogram[]): Histogram {
  const sum: Record<string, number> = {};
  for (const histogram of histograms) {
    for (const [bucket, count] of Object.entries(histogram)) {
      sum[bucket] = (sum[bucket] ?? 0) + count;
    }
  }
  return sum;
}

/** The time in milliseconds below which that part of all lies, at most 2 % too high; 0 of nothing. */
export function quantileMs(histogram: Histogram, part: number): number {
  const buckets = Object.keys(histogram)
    .map(Number)
    .sort((a, b) => a - b);
  const total = buckets.reduce((sum, bucket) => sum + histogram[bucket]!, 0);
  let seen = 0;
  for (const bucket of buckets) {
    seen += histogram[bucket]!;
    if (seen >= part * total) return FIRST_END_MS * Math.exp(bucket * GROWTH);
  }
  return 0;
}
