import { expect, test } from 'vitest';
import { parseSchedule } from './schedule.ts';

const at = (text: string): number => Date.parse(text);

test.for([
  ['*/5 * * * *', null, '2026-06-01T12:01:00Z', '2026-06-01T12:05:00Z'],
  ['5/15 * * * *', null, '2026-06-01T12:01:00Z', '2026-06-01T12:05:00Z'],
  ['5/15 * * * *', null, '2026-06-01T12:50:00Z', '2026-06-01T13:05:00Z'],
  ['0 0 ? * 1', null, '2026-06-02T00:00:00Z', '2026-06-08T00:00:00Z'],
  ['0 0 1 JUL sun-tue', null, '2026-06-02T00:00:00Z', '2026-07-01T00:00:00Z'],
  ['30 6 * * *', 'Europe/Berlin', '2026-06-01T00:00:00Z', '2026-06-01T04:30:00Z'],
  ['@hourly', null, '2026-06-01T12:00:00Z', '2026-06-01T13:00:00Z'],
  ['@every 1h30m', null, '2026-06-01T12:00:00Z', '2026-06-01T13:30:00Z'],
] as const)('after %s in zone %s, %s comes %s', ([schedule, zone, after, next]) => {
  expect(parseSchedule(schedule, zone).nextMs(at(after))).toBe(at(next));
});

test.for([
  ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
  ['* * * * * *', 'expected exactly 5 fields, found 6'],
  ['TZ=UTC 0 0 * * *', 'expected exactly 5 fields, found 6'],
  ['61 * * * *', 'Invalid value for minute: 61'],
  ['0 0 0 * *', 'Invalid value for day'],
  ['*/0 * * * *', 'illegal stepping: 0'],
  ['0 0 31-1 * *', 'From value is larger than to value'],
  ['0 0 L * *', 'no field of a schedule can be "L"'],
  ['0 0 * * 5#2', 'no field of a schedule can be "5#2"'],
  ['0 0 * * 7', 'Sunday is 0, not 7'],
  ['@reboot', '@reboot is not supported'],
  ['@every 0s', 'the period of @every is at least one second'],
  ['@every day', 'invalid configuration format'],
] as const)('%s is no schedule: %s', ([schedule, why]) => {
  expect(() => parseSchedule(schedule, null)).toThrow(why);
});
