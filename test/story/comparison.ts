import type { ComparisonReport, NamespaceFacts, project } from '@aquifer/compare';

/** What the story runs: one size, as short as it goes. */
export const COMPARISON = [
  'compare',
  'run',
  '--pods',
  '4',
  '--rates',
  '200',
  '--time-limit',
  '20s',
];

const MODES = ['none', 'sidecar', 'ambient', 'waypoint'];
const FEWEST_REQUESTS = 500;
/** A proxy that costs less than this for a request has not carried it; one that costs more is broken. */
const LEAST_MICROS = 20;
const MOST_MICROS = 20_000;
/** Of ambient modes to sidecars; wide, because the machine may be busy. */
const LEAST_RATIO = 0.05;
const MOST_RATIO = 10;

type MeasuredMode = ComparisonReport['sizes'][number]['modes'][number];
/** What, its value, the least and the most that is sane. */
type Bound = readonly [string, number | undefined, number, number];

/** What is wrong with a comparison (its JSON); empty when all modes carried the load without an error, each proxy at a sane cost. */
export function problemsOfComparison(json: string): string[] {
  const modes = (JSON.parse(json) as ComparisonReport).sizes[0]?.modes ?? [];
  const measured = modes.map(({ mode }) => mode).join();
  return [
    ...(measured === MODES.join() ? [] : [`modes: ${measured}`]),
    ...modes.flatMap((mode) =>
      [...carriedBounds(mode), ...costBounds(mode), ...ratioBounds(mode)]
        .filter(([, value = Number.NaN, least, most]) => !(value >= least && value <= most))
        .map(([what, value]) => `${mode.mode}: ${what}: ${value}`),
    ),
  ];
}

function carriedBounds({ rates: [rate] }: MeasuredMode): Bound[] {
  const { p50 = 0, p99 = 0 } = rate?.latencies ?? {};
  return [
    ['failed requests', rate?.failed, 0, 0],
    ['requests', rate?.requests, FEWEST_REQUESTS, 1e6],
    ['p50, ms', p50, 0.05, 1000],
    ['p99 over p50', p99 / p50, 1, 1e4],
  ];
}

function costBounds({ mode, memory, rates: [rate] }: MeasuredMode): Bound[] {
  const [leastMicros, mostMicros] = mode === 'none' ? [0, 0] : [LEAST_MICROS, MOST_MICROS];
  const [leastMib, mostMib] = mode === 'none' ? [0, 0] : [20, 2000];
  return [
    ['µs per request', rate?.proxies?.value, leastMicros, mostMicros],
    ['MiB', memory.total?.value, leastMib, mostMib],
  ];
}

/** Node proxies use the less of both, the more pods there are; the story has four. */
function ratioBounds({ mode, memory, rates: [rate] }: MeasuredMode): Bound[] {
  if (mode === 'none' || mode === 'sidecar') return [];
  return [rate?.ratioToSidecars, memory.ratioToSidecars].flatMap((ratio): Bound[] => [
    ['ratio', ratio?.value, LEAST_RATIO, MOST_RATIO],
    ['ratio in its interval', ratio?.value, ratio?.low ?? 1, ratio?.high ?? 0],
  ]);
}

/** What `aquifer compare cluster -o json` prints. */
export interface ClusterEstimate {
  readonly namespaces: readonly NamespaceFacts[];
  readonly projection: ReturnType<typeof project>;
}
