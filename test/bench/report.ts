import type { Samples } from './samples.ts';

/** What DESIGN section 6 asks of one ratio (against a peer) or of one absolute number. */
export interface Budget {
  readonly what: string;
  /** Name of our samples. */
  readonly ours: string;
  /** Name of the peer's samples; null for an absolute limit in the samples' unit. */
  readonly peer: string | null;
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** A budget and what was measured; `met` is null if a side was not measured. */
export interface Verdict {
  readonly what: string;
  readonly limit: string;
  readonly measured: number | null;
  readonly spread: readonly [number, number] | null;
  readonly met: boolean | null;
}

/** L4 budgets: both hops together, medians over the rounds. */
export const L4_BUDGETS: readonly Budget[] = [
  {
    what: 'CPU per request vs Envoy HBONE',
    ours: 'ztunnel request cpu',
    peer: 'envoy request cpu',
    atMost: 1.05,
  },
  {
    what: 'CPU per request at 1,000/s vs Envoy HBONE',
    ours: 'ztunnel steady request cpu',
    peer: 'envoy steady request cpu',
    atMost: 1,
  },
  {
    what: 'CPU per new connection vs Envoy HBONE',
    ours: 'ztunnel connect cpu',
    peer: 'envoy connect cpu',
    atMost: 1.2,
  },
  {
    what: '1,000 connections at once: no tunnel open vs open, ms',
    ours: 'ztunnel burst cold',
    peer: 'ztunnel burst warm',
    atMost: 3,
  },
  { what: 'MB/s up vs Envoy HBONE', ours: 'ztunnel up', peer: 'envoy up', atLeast: 0.9 },
  { what: 'MB/s down vs Envoy HBONE', ours: 'ztunnel down', peer: 'envoy down', atLeast: 0.9 },
  {
    what: 'CPU per GB up vs Envoy HBONE',
    ours: 'ztunnel up cpu',
    peer: 'envoy up cpu',
    atMost: 1.15,
  },
  {
    what: 'CPU per GB down vs Envoy HBONE',
    ours: 'ztunnel down cpu',
    peer: 'envoy down cpu',
    atMost: 1.15,
  },
  {
    what: 'KiB per idle connection, client hop',
    ours: 'ztunnel client connection memory',
    peer: null,
    atMost: 6,
  },
  {
    what: 'KiB per idle connection, server hop',
    ours: 'ztunnel server connection memory',
    peer: null,
    atMost: 6,
  },
];

/** L7 budgets: our waypoint against Envoy with the same configuration, unless they say otherwise. */
export const L7_BUDGETS: readonly Budget[] = [
  ...(
    [
      ['HTTP/1.1: CPU per request', 'request cpu', 0.45],
      ['HTTP/2: CPU per request', 'http2 cpu', 0.8],
      ['gRPC: CPU per call', 'grpc cpu', 0.8],
      ['1,000 routes, 100 policies: CPU per request', 'large configuration cpu', 0.45],
      ['HBONE on both sides: CPU per request', 'hbone cpu', 0.7],
      ['CPU per GB down', 'down cpu', 1.15],
      ['CPU per GB up', 'up cpu', 1.15],
      ['p99 at half of what it can carry', 'p99 ms', 1.5],
      ['p99 at half of what the slower can carry', 'same rate p99 ms', 1.5],
      ['p99 while routes change', 'changes p99 ms', 1.5],
      ['longest time without an answer while routes change', 'changes gap ms', 1.5],
      ['KiB per idle connection', 'connection memory', 1],
    ] as const
  ).map(([what, quantity, atMost]) => ({
    what: `${what} vs Envoy`,
    ours: `waypoint ${quantity}`,
    peer: `envoy ${quantity}`,
    atMost,
  })),
  { what: 'MB/s down vs Envoy', ours: 'waypoint down', peer: 'envoy down', atLeast: 0.9 },
  { what: 'MB/s up vs Envoy', ours: 'waypoint up', peer: 'envoy up', atLeast: 0.9 },
  {
    what: 'HTTP/1.1: CPU per request vs nginx',
    ours: 'waypoint request cpu',
    peer: 'nginx request cpu',
    atMost: 1.5,
  },
  {
    what: 'requests that fail while routes change',
    ours: 'waypoint changes failed',
    peer: null,
    atMost: 0,
  },
  { what: 'KiB per idle connection', ours: 'waypoint connection memory', peer: null, atMost: 6 },
];

/** Processor time at one go: how long others keep a thread from running is not its doing. */
const STALL_MS = 20;

/** Budgets of workload state: 100,000 workloads and 10,000 services, 5,000 open connections. */
export const STATE_BUDGETS: readonly Budget[] = [
  { what: 'first push applied, ms', ours: 'push ms', peer: null, atMost: 5000 },
  { what: 'first push: longest stall, ms', ours: 'push burst', peer: null, atMost: STALL_MS },
  { what: 'bytes for each, all threads', ours: 'bytes each', peer: null, atMost: 1536 },
  {
    what: 'an unrelated workload: longest stall, ms',
    ours: 'unrelated workload burst',
    peer: null,
    atMost: STALL_MS,
  },
  {
    what: 'a policy change: longest stall, ms',
    ours: 'policy change burst',
    peer: null,
    atMost: STALL_MS,
  },
  { what: 'a dump of all: longest stall, ms', ours: 'dump burst', peer: null, atMost: STALL_MS },
];

/** Memory budgets: private memory counts what would be free without the process, PSS its share of all. */
export const MEMORY_BUDGETS: readonly Budget[] = (
  [
    ['ztunnel, 50 pods, idle, private MB', 'ztunnel idle private', 38],
    ['ztunnel, 50 pods, idle, PSS MB', 'ztunnel idle PSS', 60],
    ['ztunnel, 30 s after a load, private MB', 'ztunnel after private', 55],
    ['waypoint, 10 Services, idle, private MB', 'waypoint idle private', 35],
    ['waypoint, 10 Services, idle, PSS MB', 'waypoint idle PSS', 55],
    ['waypoint, 30 s after a load, private MB', 'waypoint after private', 60],
    ['control plane, empty cluster, private MB', 'control-plane idle private', 60],
  ] as const
).map(([what, ours, atMost]) => ({ what, ours, peer: null, atMost }));

/** An event among 100,000 pods against the same among 1,000: its cost must not grow with the cluster. */
export const CONTROL_PLANE_BUDGETS: readonly Budget[] = [
  ...(['pod', 'gateway status', 'root policy', 'route weight'] as const).map((event) => ({
    what: `${event}: CPU among 100,000 pods vs 1,000`,
    ours: `100,000 pods ${event} ms`,
    peer: `1,000 pods ${event} ms`,
    atMost: 1.5,
  })),
  {
    what: 'bytes per pod, beyond the trimmed object',
    ours: '100,000 pods bytes per pod',
    peer: null,
    atMost: 2048,
  },
];

export const CONTROL_PLANE_COLUMNS: readonly Column[] = [
  { title: 'first, s', quantities: ['first s'], digits: 1 },
  { title: 'a pod, ms', quantities: ['pod ms'], digits: 2 },
  { title: 'a node', quantities: ['node ms'], digits: 2 },
  { title: 'a Gateway status', quantities: ['gateway status ms'], digits: 2 },
  { title: 'a root policy', quantities: ['root policy ms'], digits: 2 },
  {
    title: 'a route weight; KiB pushed',
    quantities: ['route weight ms', 'route weight KiB'],
    digits: 1,
  },
  { title: 'bytes per pod', quantities: ['bytes per pod'], digits: 0 },
];

/** Requests and messages that may be refused or lost while a part of the mesh is replaced. */
export const ROLLOUT_BUDGETS: readonly Budget[] = [
  'waypoint',
  'ztunnel',
  'control plane',
  'application',
].map((part) => ({
  what: `failed while new pods of the ${part} take over`,
  ours: `${part} failed`,
  peer: null,
  atMost: 0,
}));

export function judge(budgets: readonly Budget[], samples: Samples): Verdict[] {
  return budgets.map(({ what, ours, peer, atMost, atLeast }) => {
    const summary = peer === null ? samples.summary(ours) : samples.ratio(ours, peer);
    const limit = atMost === undefined ? `≥ ${atLeast}` : `≤ ${atMost}`;
    if (summary === null) return { what, limit, measured: null, spread: null, met: null };
    const measured = summary.median;
    const met = atMost === undefined ? measured >= (atLeast ?? 0) : measured <= atMost;
    return { what, limit, measured, spread: [summary.min, summary.max], met };
  });
}

export interface Column {
  readonly title: string;
  /** Names of the samples after the contender's name; several are joined by a slash. */
  readonly quantities: readonly string[];
  readonly digits: number;
}

export const L4_COLUMNS: readonly Column[] = [
  {
    title: 'µs CPU/request',
    quantities: ['client request cpu', 'server request cpu'],
    digits: 1,
  },
  { title: 'requests/s', quantities: ['requests'], digits: 0 },
  {
    title: 'µs CPU/request at 1,000/s',
    quantities: ['client steady request cpu', 'server steady request cpu'],
    digits: 1,
  },
  {
    title: 'µs CPU/connect',
    quantities: ['client connect cpu', 'server connect cpu'],
    digits: 0,
  },
  { title: 'MB/s up, down', quantities: ['up', 'down'], digits: 0 },
  { title: 'CPU s/GB up', quantities: ['client up cpu', 'server up cpu'], digits: 2 },
  { title: 'CPU s/GB down', quantities: ['client down cpu', 'server down cpu'], digits: 2 },
  { title: 'MB', quantities: ['memory'], digits: 0 },
  {
    title: 'KiB/idle conn',
    quantities: ['client connection memory', 'server connection memory'],
    digits: 1,
  },
];

/** Two tables: of small requests, and of what only we and Envoy are asked. */
export const L7_COLUMNS: readonly (readonly Column[])[] = [
  [
    { title: 'µs CPU/request', quantities: ['request cpu'], digits: 1 },
    { title: 'requests/s', quantities: ['requests'], digits: 0 },
    { title: 'HTTP/2 µs', quantities: ['http2 cpu'], digits: 1 },
    { title: 'HTTP/2 requests/s', quantities: ['http2 requests'], digits: 0 },
    { title: 'gRPC µs', quantities: ['grpc cpu'], digits: 1 },
    { title: '1,000 routes µs', quantities: ['large configuration cpu'], digits: 1 },
    { title: 'HBONE µs', quantities: ['hbone cpu'], digits: 1 },
    { title: 'HBONE requests/s', quantities: ['hbone requests'], digits: 0 },
    { title: 'MB', quantities: ['memory'], digits: 0 },
  ],
  [
    { title: 'MB/s down, up', quantities: ['down', 'up'], digits: 0 },
    { title: 'CPU s/GB down, up', quantities: ['down cpu', 'up cpu'], digits: 2 },
    { title: 'KiB/idle conn', quantities: ['connection memory'], digits: 1 },
    { title: 'at half rate/s', quantities: ['half rate'], digits: 0 },
    { title: 'p99 ms at the slower half', quantities: ['same rate p99 ms'], digits: 2 },
    { title: 'p50, p99 ms', quantities: ['p50 ms', 'p99 ms'], digits: 2 },
    { title: 'changes: p99, gap ms', quantities: ['changes p99 ms', 'changes gap ms'], digits: 1 },
    { title: 'failed', quantities: ['changes failed'], digits: 0 },
  ],
];

export const MEMORY_COLUMNS: readonly Column[] = ['idle', 'load', 'after', 'pods'].map((when) => ({
  title: `${when}: private / PSS MB`,
  quantities: [`${when} private`, `${when} PSS`],
  digits: 1,
}));

/** Medians, a row for each contender; contenders and columns that were not measured are left out. */
export function formatMedians(
  contenders: readonly string[],
  columns: readonly Column[],
  samples: Samples,
): string {
  const isMeasured = (name: string, { quantities }: Column): boolean =>
    quantities.some((quantity) => samples.summary(`${name} ${quantity}`) !== null);
  const names = contenders.filter((name) => columns.some((column) => isMeasured(name, column)));
  const shown = columns.filter((column) => names.some((name) => isMeasured(name, column)));
  const rows = names.map((name) => [
    name,
    ...shown.map(({ quantities, digits }) =>
      quantities
        .map((quantity) => samples.summary(`${name} ${quantity}`)?.median.toFixed(digits) ?? '–')
        .join(' / '),
    ),
  ]);
  return rows.length === 0 ? '' : formatRows([['', ...shown.map(({ title }) => title)], ...rows]);
}

/** A line for each budget: pass mark, measured, spread over the rounds, limit. */
export function formatVerdicts(verdicts: readonly Verdict[]): string {
  return formatRows([
    ['', 'budget', 'measured', 'rounds', 'limit'],
    ...verdicts.map(({ what, limit, measured, spread, met }) => [
      MARKS[String(met) as keyof typeof MARKS],
      what,
      measured?.toFixed(2) ?? 'not measured',
      spread === null ? '' : `${spread[0].toFixed(2)}–${spread[1].toFixed(2)}`,
      limit,
    ]),
  ]);
}

const MARKS = { true: '✔', false: '✘', null: '?' } as const;

function formatRows(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd();
  return `${rows.map(line).join('\n')}\n`;
}
