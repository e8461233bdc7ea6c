import type { Amount, NamespaceFacts, Needs } from '../estimate/cluster-facts.ts';
import { MODE_TITLES, WHAT_MODES_GIVE } from '../modes.ts';
import type { Estimate } from '../statistics/bootstrap.ts';
import type { ComparisonReport, ModeReport, RateReport, SizeReport } from './report.ts';

/** Cells of a table: a heading row, then a row for each line. */
export interface Table {
  readonly title: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

type MemoryCell = (memory: ModeReport['memory']) => string;
type RateCell = (rate: RateReport) => string;

const MEMORY_ROWS: readonly (readonly [string, MemoryCell])[] = [
  ['memory of proxies, MiB', ({ total }) => interval(total, 0)],
  ['  ratio to sidecars', ({ ratioToSidecars }) => ratio(ratioToSidecars)],
  [
    '  private / files / peak',
    (m) => [m.private, m.file, m.peak].map((n) => n.toFixed(0)).join(' / '),
  ],
];

const RATE_ROWS: readonly (readonly [string, RateCell])[] = [
  ['CPU of proxies, µs per request', ({ proxies }) => interval(proxies, 0)],
  ['  ratio to sidecars', ({ ratioToSidecars }) => ratio(ratioToSidecars)],
  ['CPU of the cluster more than without a mesh', ({ machineAdded }) => interval(machineAdded, 0)],
  ['CPU of client / servers', (r) => `${r.generator.toFixed(0)} / ${r.servers.toFixed(0)}`],
  ['latency p50 / p90, ms', ({ latencies: l }) => `${ms(l.p50)} / ${ms(l.p90)}`],
  ['latency p99 / p99.9, ms', ({ latencies: l }) => `${ms(l.p99)} / ${ms(l.p999)}`],
  ['requests per second, failed', (r) => `${r.achieved.toFixed(0)}, ${r.failed}`],
];

/** One table for each size and rate. */
export function sizeTables(size: SizeReport): Table[] {
  const header = ['', ...size.modes.map(({ mode }) => MODE_TITLES[mode])];
  const rates = size.modes[0]?.rates.map(({ rate }) => rate) ?? [];
  return rates.map((rate, at) => ({
    title: `${size.pods} pods, ${rate} requests/s, ${size.blocks} blocks: ${size.outcome}`,
    header,
    rows: [
      ...(at === 0
        ? MEMORY_ROWS.map(([title, cell]) => [title, ...size.modes.map((m) => cell(m.memory))])
        : []),
      ...(at === 0
        ? [['idle, thousandths of a processor', ...size.modes.map((m) => m.idleMillis.toFixed(1))]]
        : []),
      ...RATE_ROWS.map(([title, cell]) => [
        title,
        ...size.modes.map(({ rates: own }) => {
          const found = own.find((candidate) => candidate.rate === rate);
          return found === undefined ? '' : cell(found);
        }),
      ]),
    ].filter(([, ...cells]) => cells.some((cell) => cell !== '')),
  }));
}

/** What one gets for the cost. */
export function givenTable(report: ComparisonReport): Table {
  const { modes } = report.settings;
  return {
    title: 'What each mode gives',
    header: ['', ...modes.map((mode) => MODE_TITLES[mode])],
    rows: WHAT_MODES_GIVE.map(({ what, answers }) => [what, ...modes.map((mode) => answers[mode])]),
  };
}

/** The lines of the cost model. */
export function costTable({ costModel }: ComparisonReport): Table | null {
  if (costModel === null) return null;
  return {
    title: 'What it depends on (least squares over all sizes and rates)',
    header: [
      '',
      'MiB per node',
      'MiB per pod',
      'millicores per node',
      'per pod',
      'per 1000 requests/s',
      'largest residual',
    ],
    rows: costModel.costs.map(
      ({ mode, role, memoryMiB, cpuMillis, memoryResiduals, cpuResiduals }) => [
        `${MODE_TITLES[mode]}: ${PROXY_TITLES[role]}`,
        memoryMiB.perInstance.toFixed(1),
        memoryMiB.perPod.toFixed(2),
        cpuMillis.perInstance.toFixed(1),
        cpuMillis.perPod.toFixed(2),
        (cpuMillis.perRps * 1000).toFixed(0),
        `${largest(memoryResiduals).toFixed(1)} MiB, ${largest(cpuResiduals).toFixed(1)} millicores`,
      ],
    ),
  };
}

const PROXY_TITLES = {
  sidecar: 'sidecars',
  nodeProxy: 'node proxies',
  waypoint: 'waypoint (one, not one per node)',
} as const;

function largest(residuals: readonly { observed: number; fitted: number }[]): number {
  return Math.max(...residuals.map(({ observed, fitted }) => Math.abs(observed - fitted)));
}

/** What the modes would need in the cluster that was asked for. */
export function projectionTable({
  projection,
}: Pick<ComparisonReport, 'projection'>): Table | null {
  if (projection === null) return null;
  const { cluster, prices, modes } = projection;
  const { nodes, podsPerNode, rps, waypoints } = cluster;
  return {
    title: `Estimate for ${nodes} nodes × ${podsPerNode} pods, ${rps} requests/s, ${waypoints} waypoints`,
    header: [
      '',
      'memory, GiB',
      'processors',
      ...(prices === null ? [] : [`${prices.currency} a month`]),
    ],
    rows: modes.map(({ mode, memoryGiB, cpuCores, costPerMonth }) => [
      MODE_TITLES[mode],
      memoryGiB.toFixed(2),
      cpuCores.toFixed(2),
      ...(costPerMonth === null ? [] : [costPerMonth.toFixed(2)]),
    ]),
  };
}

/** What a cluster runs, a line for each namespace. */
export function namespaceTable(facts: readonly NamespaceFacts[]): Table {
  const amount = ({ memoryMiB, cpuMillis }: Amount): string =>
    `${memoryMiB.toFixed(0)}Mi, ${cpuMillis.toFixed(0)}m`;
  const used = ({ requests, usage }: Needs): string =>
    usage === null ? amount(requests) : `${amount(requests)} (uses ${amount(usage)})`;
  return {
    title: 'What the cluster runs (pods on the host network left out)',
    header: [
      'namespace',
      'pods',
      'sidecars',
      'ambient',
      'pods request',
      'sidecars request',
      'needs HTTP for',
    ],
    rows: facts.map((one) => [
      one.namespace,
      String(one.pods),
      String(one.sidecars),
      String(one.captured),
      used(one.applications),
      one.sidecars === 0 ? '' : used(one.sidecarNeeds),
      one.needsL7.join(', '),
    ]),
  };
}

/** `0.41 [0.37, 0.45]`. */
export function interval(estimate: Estimate | null, digits: number): string {
  if (estimate === null) return '';
  const [value, low, high] = [estimate.value, estimate.low, estimate.high].map((n) =>
    n.toFixed(digits),
  );
  return low === high ? value! : `${value} [${low}, ${high}]`;
}

function ratio(estimate: Estimate | null): string {
  return estimate === null ? '' : `× ${interval(estimate, 2)}`;
}

function ms(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}
