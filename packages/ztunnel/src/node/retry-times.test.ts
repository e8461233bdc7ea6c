import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RetryTimes } from './retry-times.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('each failure in a row doubles the wait, up to a limit; while it is tried nothing is due', () => {
  const retries = new RetryTimes();
  expect(retries.nextInMs()).toBe(Infinity);
  const waits = Array.from({ length: 7 }, () => {
    expect(retries.begin('pod')).toBe(true);
    expect(retries.nextInMs()).toBe(Infinity);
    retries.failed('pod');
    const waitMs = retries.nextInMs();
    vi.advanceTimersByTime(waitMs - 1);
    expect(retries.begin('pod')).toBe(false);
    vi.advanceTimersByTime(1);
    return waitMs;
  });
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
});

test('what succeeded, and what nobody wants any more, begins anew', () => {
  const retries = new RetryTimes();
  retries.failed('kept');
  retries.failed('gone');
  retries.failed('done');
  retries.forget('done');
  retries.keepOnly(['kept', 'done']);
  expect(['kept', 'gone', 'done'].map((key) => retries.begin(key))).toEqual([false, true, true]);
});
