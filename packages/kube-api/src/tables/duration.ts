/** Ages as kubectl shows them (apimachinery `duration.HumanDuration`): two units at most, fewer the older. */

function two(major: string, minor: number, unit: string): string {
  return minor === 0 ? major : `${major}${minor}${unit}`;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

type Form = readonly [below: number, show: (seconds: number) => string];

const whole = (value: number): number => Math.floor(value);

const forms: readonly Form[] = [
  [2 * MINUTE, (s) => `${whole(s)}s`],
  [10 * MINUTE, (s) => two(`${whole(s / MINUTE)}m`, whole(s % MINUTE), 's')],
  [3 * HOUR, (s) => `${whole(s / MINUTE)}m`],
  [8 * HOUR, (s) => two(`${whole(s / HOUR)}h`, whole((s % HOUR) / MINUTE), 'm')],
  [2 * DAY, (s) => `${whole(s / HOUR)}h`],
  [8 * DAY, (s) => two(`${whole(s / DAY)}d`, whole((s % DAY) / HOUR), 'h')],
  [2 * YEAR, (s) => `${whole(s / DAY)}d`],
  [8 * YEAR, (s) => two(`${whole(s / YEAR)}y`, whole((s % YEAR) / DAY), 'd')],
];

/** @param milliseconds a length of time; negative by more than a second is `<invalid>`. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.trunc(milliseconds / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds <= 0) return '0s';
  const form = forms.find(([below]) => seconds < below);
  return form === undefined ? `${whole(seconds / YEAR)}y` : form[1](seconds);
}

/** How long ago a timestamp was; `<unknown>` when there is none. */
export function ageOf(timestamp: unknown): string {
  if (typeof timestamp !== 'string') return '<unknown>';
  return humanDuration(Date.now() - Date.parse(timestamp));
}
