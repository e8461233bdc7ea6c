import { expect, test } from 'vitest';
import { lastDueMs, nextRunMs } from './schedule.ts';

const at = (text: string): number => Date.parse(text);

test.for([
  ['*/5 * * * *', null, '2026-06-01T12:01:00Z', '2026-06-01T12:05:00Z'],
  ['0 0 ? * 1', null, '2026-06-02T00:00:00Z', '2026-06-08T00:00:00Z'],
  ['30 6 * * *', 'Europe/Berlin', '2026-06-01T00:00:00Z', '2026-06-01T04:30:00Z'],
  ['@hourly', null, '2026-06-01T12:00:00Z', '2026-06-01T13:00:00Z'],
  ['@every 1h30m', null, '2026-06-01T12:00:00Z', '2026-06-01T13:30:00Z'],
] as const)('after %s in zone %s, %s comes %s', ([schedule, zone, after, next]) => {
  expect(nextRunMs(schedule, zone, at(after))).toBe(at(next));
});

test('of the runs that were missed the last is due', () => {
  const window = { sinceMs: at('2026-06-01T09:00:00Z'), nowMs: at('2026-06-01T12:10:00Z') };
  expect(lastDueMs('0 * * * *', null, window)).toBe(at('2026-06-01T12:00:00Z'));
  const early = { sinceMs: window.sinceMs, nowMs: at('2026-06-01T09:59:59Z') };
  expect(lastDueMs('0 * * * *', null, early)).toBeNull();
});
