/** Durations as resources write them. */

const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 0.001,
  µs: 0.001,
  ns: 0.000_001,
};

/** Milliseconds of a duration of Go (`1h2m3.5s`, `100ms`) or of the Gateway API (GEP-2257); what is none is 0. */
export function durationMs(text: string): number {
  let total = 0;
  for (const [, count, unit = ''] of text.matchAll(/(\d+\.?\d*|\.\d+)(ms|us|µs|ns|[hms])/g)) {
    total += Number(count) * (UNIT_MS[unit] ?? 0);
  }
  return total;
}
