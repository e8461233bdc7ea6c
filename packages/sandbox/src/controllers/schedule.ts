/** When a CronJob runs. */
import { Cron } from 'croner';

const EVERY = /^@every (?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/;

/** The first time after `afterMs` that a schedule names, in milliseconds; null when there is none. */
export function nextRunMs(
  schedule: string,
  timeZone: string | null,
  afterMs: number,
): number | null {
  const every = EVERY.exec(schedule);
  if (every !== null) {
    const [hours = 0, minutes = 0, seconds = 0] = every.slice(1).map((text) => Number(text ?? 0));
    const periodMs = ((hours * 60 + minutes) * 60 + seconds) * 1000;
    return periodMs > 0 ? afterMs + periodMs : null;
  }
  // To Kubernetes a question mark is a star.
  const pattern = schedule.replaceAll('?', '*');
  const cron = new Cron(pattern, { timezone: timeZone ?? 'UTC', paused: true });
  return cron.nextRun(new Date(afterMs))?.getTime() ?? null;
}

/** The last time not after `nowMs` of those after `sinceMs`; null when none has come. */
export function lastDueMs(
  schedule: string,
  timeZone: string | null,
  { sinceMs, nowMs }: { readonly sinceMs: number; readonly nowMs: number },
): number | null {
  let due: number | null = null;
  // More than a day ago is as good as a day ago: one run makes up for all that were missed.
  let next = nextRunMs(schedule, timeZone, Math.max(sinceMs, nowMs - 86_400_000));
  while (next !== null && next <= nowMs) {
    due = next;
    next = nextRunMs(schedule, timeZone, next);
  }
  return due;
}
