import { describe, expect, test } from 'vitest';
import { median, summarize, summarizeRatio } from './summary.ts';

test.for([
  { values: [3], expected: 3 },
  { values: [9, 1, 5], expected: 5 },
  { values: [10, 1, 2, 3], expected: 2.5 },
])('the median of $values is $expected', ({ values, expected }) => {
  expect(median(values)).toBe(expected);
});

describe('a summary', () => {
  test('gives the range and the 95 % interval of the mean by Student’s t', () => {
    // Mean 12, standard deviation 2, three samples: 4.303 · 2 / √3.
    const summary = summarize([10, 12, 14]);
    expect(summary).toMatchObject({ median: 12, min: 10, max: 14 });
    expect(summary.confidence).toBeCloseTo(4.969, 2);
  });

  test('claims no interval from a single sample', () => {
    expect(summarize([7]).confidence).toBeNull();
  });

  test('uses the normal distribution for many samples', () => {
    const samples = Array.from({ length: 100 }, (_, index) => index % 2);
    expect(summarize(samples).confidence).toBeCloseTo(1.96 * Math.sqrt(25 / 99 / 100), 4);
  });

  test('of nothing is refused', () => {
    expect(() => summarize([])).toThrow(RangeError);
  });
});

describe('a ratio', () => {
  test('is taken round by round, so that a slow round does not distort it', () => {
    expect(summarizeRatio([1, 10, 2], [2, 20, 4])).toMatchObject({
      median: 0.5,
      min: 0.5,
      max: 0.5,
    });
  });

  test('leaves out rounds in which the base is zero', () => {
    expect(summarizeRatio([1, 3], [0, 2])).toMatchObject({ median: 1.5, samples: [1.5] });
    expect(summarizeRatio([1], [0])).toBeNull();
  });
});
