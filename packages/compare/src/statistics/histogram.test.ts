import { expect, test } from 'vitest';
import { addHistograms, histogramOf, quantileMs } from './histogram.ts';

const times = Array.from({ length: 1000 }, (_, at) => at + 1);

test.for([0.5, 0.9, 0.99, 0.999])('the %f quantile is at most two per cent too high', (part) => {
  const value = quantileMs(histogramOf(times), part);
  expect(value / (part * 1000)).toBeGreaterThanOrEqual(1);
  expect(value / (part * 1000)).toBeLessThan(1.021);
});

test('histograms of several loads add up', () => {
  const half = (odd: number) => histogramOf(times.filter((time) => time % 2 === odd));
  expect(addHistograms([half(0), half(1)])).toEqual(histogramOf(times));
});

test('of nothing every quantile is 0', () => {
  expect(quantileMs({}, 0.5)).toBe(0);
});
