import { parseSchedule } from '@aquifer/kube-api';
import { expect, test } from 'vitest';
import { lastDueMs } from './schedule.ts';

const at = (text: string): number => Date.parse(text);

test('of the runs that were missed the last is due', () => {
  const hourly = parseSchedule('0 * * * *', null);
  const window = { sinceMs: at('2026-06-01T09:00:00Z'), nowMs: at('2026-06-01T12:10:00Z') };
  expect(lastDueMs(hourly, window)).toBe(at('2026-06-01T12:00:00Z'));
  const early = { sinceMs: window.sinceMs, nowMs: at('2026-06-01T09:59:59Z') };
  expect(lastDueMs(hourly, early)).toBeNull();
});
