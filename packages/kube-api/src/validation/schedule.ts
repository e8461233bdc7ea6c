/** Schedules of CronJobs: five fields, `@hourly` and its kind, or `@every 1h30m` (the standard parser of robfig/cron). */
import { Cron } from 'croner';

/** When something runs. */
export interface Schedule {
  /** The first time after that one, both in milliseconds since 1970; null when there is none. */
  nextMs(afterMs: number): number | null;
}

const EVERY = /^@every (?=\d)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/;
/** Neither `L`, `W` nor `#`, which other schedulers know. */
const FIELD =
  /^(?:[\d*?,/-]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat)+$/i;

/** Times of the day are of the zone; null is UTC. Throws an `Error` that says what is wrong. */
export function parseSchedule(text: string, timeZone: string | null): Schedule {
  const every = EVERY.exec(text);
  if (every !== null) return everyMs(every.slice(1).map((digits) => Number(digits ?? 0)));
  if (!text.startsWith('@')) checkFields(text.trim().split(/\s+/));
  // To Kubernetes a question mark is a star, and `5/15` begins at five.
  const cron = new Cron(text.replaceAll('?', '*'), {
    timezone: timeZone ?? 'UTC',
    paused: true,
    mode: '5-part',
    sloppyRanges: true,
  });
  return { nextMs: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime() ?? null };
}

function everyMs([hours = 0, minutes = 0, seconds = 0]: readonly number[]): Schedule {
  const periodMs = ((hours * 60 + minutes) * 60 + seconds) * 1000;
  if (periodMs === 0) throw new Error('the period of @every is at least one second');
  return { nextMs: (afterMs) => afterMs + periodMs };
}

function checkFields(fields: readonly string[]): void {
  if (fields.length !== 5) {
    throw new Error(`expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`);
  }
  const wrong = fields.find((field) => !FIELD.test(field));
  if (wrong !== undefined)
    throw new Error(`no field of a schedule can be ${JSON.stringify(wrong)}`);
  if (/(?:^|[,-])7/.test(fields[4] ?? '')) throw new Error('Sunday is 0, not 7');
}
