/** Which runs of a CronJob are due. */
import type { Schedule } from '@aquifer/kube-api';

/** The last time of the schedule not after `nowMs` of those after `sinceMs`; null when none has come. */
export function lastDueMs(
  schedule: Schedule,
  { sinceMs, nowMs }: { readonly sinceMs: number; readonly nowMs: number },
): number | null {
  let due: number | null = null;
  // More than a day ago is as good as a day ago: one run makes up for all that were missed.
  let next = schedule.nextMs(Math.max(sinceMs, nowMs - 86_400_000));
  while (next !== null && next <= nowMs) {
    due = next;
    next = schedule.nextMs(next);
  }
  return due;
}
