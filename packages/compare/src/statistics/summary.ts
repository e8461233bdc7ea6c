/** What repeated measurements of one quantity say; all in the unit of the samples. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /**
   * Half the width of the 95 % confidence interval of the mean (Student's t); null with fewer than two samples, from
   * which nothing can be said.
   */
  readonly confidence: number | null;
  readonly samples: readonly number[];
}

/** Two-sided 95 % quantiles of Student's t for 1, 2, … degrees of freedom; from 30 on the normal distribution's. */
const T_95 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145,
  2.131, 2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048,
  2.045,
];
const NORMAL_95 = 1.96;

/** The middle value, or the mean of the two middle ones; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Summarises samples; throws a RangeError if there are none. */
export function summarize(samples: readonly number[]): Summary {
  if (samples.length === 0) throw new RangeError('nothing was measured');
  return {
    median: median(samples),
    min: Math.min(...samples),
    max: Math.max(...samples),
    confidence: confidence(samples),
    samples,
  };
}

/**
 * Ratio of two quantities measured in the same rounds, summarised over the rounds: what changes from round to round,
 * such as a busy machine, cancels out. Rounds in which the base is zero say nothing and are left out; null if all are.
 */
export function summarizeRatio(
  samples: readonly number[],
  base: readonly number[],
): Summary | null {
  const ratios = samples.flatMap((value, round) => {
    const divisor = base[round] ?? 0;
    return divisor > 0 ? [value / divisor] : [];
  });
  return ratios.length === 0 ? null : summarize(ratios);
}

function confidence(samples: readonly number[]): number | null {
  const count = samples.length;
  if (count < 2) return null;
  const mean = samples.reduce((sum, value) => sum + value, 0) / count;
  const variance = samples.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  return (T_95[count - 2] ?? NORMAL_95) * Math.sqrt(variance / count);
}
