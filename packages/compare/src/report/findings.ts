import { ENOUGH_IDLE } from '../measure/environment.ts';
import { MODE_TITLES } from '../modes.ts';
import type { ComparisonReport } from './report.ts';
import { interval } from './table.ts';

/** Of the processors; beyond that, what was measured is also of others. */
const MUCH_FOREIGN = 0.1;

const CAPITALS = { ambient: 'Ambient L4', waypoint: 'Ambient with a waypoint' } as const;

/** The answer in sentences, most important first. */
export function answers(report: ComparisonReport): string[] {
  const { costModel, sizes } = report;
  const last = sizes.at(-1);
  const breakEven = (costModel?.breakEven ?? []).map(({ mode, podsPerNode }) =>
    podsPerNode === null
      ? `${CAPITALS[mode]} has no break-even with sidecars that these samples could tell.`
      : `${CAPITALS[mode]} needs less memory than sidecars from ${interval(podsPerNode, 1)} pods per node on${mode === 'waypoint' ? `, with one waypoint on ${report.environment.nodes} nodes.` : ': a node proxy costs the same whatever it carries, a sidecar is paid for each pod.'}`,
  );
  const ratios = (last?.modes ?? []).flatMap(({ mode, memory, rates }) => {
    const cpu = rates.at(-1)?.ratioToSidecars ?? null;
    if (mode === 'none' || cpu === null || memory.ratioToSidecars === null) return [];
    return [
      `With ${last!.pods} pods on ${report.environment.nodes} nodes, ${MODE_TITLES[mode]} needs ${interval(cpu, 2)} of the sidecars’ processor time per request, and ${interval(memory.ratioToSidecars, 2)} of their memory.`,
    ];
  });
  return [...breakEven, ...ratios];
}

/** What to keep in mind about this run. */
export function cautions(report: ComparisonReport): string[] {
  const { environment, foreignPart, sizes, samples, settings } = report;
  const percent = (part: number): string => `${Math.round(part * 100)} %`;
  const late = Math.max(0, ...samples.map(({ load }) => load.longestLateMs));
  const unsettled = sizes.filter((size) => size.unsettled.length > 0);
  const failed = samples.reduce((sum, { load }) => sum + load.failed, 0);
  return [
    ...(environment.idleBefore < ENOUGH_IDLE
      ? [`Before the start only ${percent(environment.idleBefore)} of the processors were idle.`]
      : []),
    ...(foreignPart > MUCH_FOREIGN
      ? [
          `Programs outside of the cluster used ${percent(foreignPart)} of the processors meanwhile.`,
        ]
      : []),
    ...ended(sizes, 'interrupted', 'The run was interrupted'),
    ...ended(
      sizes,
      'not resolved',
      'Time was up before each ratio of processor time was known to 5 %',
    ),
    ...sizes.flatMap(({ pods, unavailable }) =>
      Object.entries(unavailable).map(
        ([mode, reason]) =>
          `${MODE_TITLES[mode as keyof typeof MODE_TITLES]} with ${pods} pods: not measured, because ${reason}.`,
      ),
    ),
    ...(unsettled.length > 0
      ? [
          `The warm-up ended before the processor time of a request had settled, with ${unsettled.map(({ pods }) => pods).join(', ')} pods: ${[...new Set(unsettled.flatMap((size) => size.unsettled))].map((mode) => MODE_TITLES[mode]).join(', ')}.`,
        ]
      : []),
    ...(failed > 0 ? [`${failed} requests failed.`] : []),
    ...(late > 20
      ? [
          `The client itself was up to ${late.toFixed(0)} ms late: tails of latencies are also its own.`,
        ]
      : []),
    ...(settings.pods.length < 2
      ? ['One size says nothing of others: give several with --pods.']
      : []),
  ];
}

/** The sizes at which measuring ended so, in one sentence. */
function ended(
  sizes: ComparisonReport['sizes'],
  outcome: ComparisonReport['sizes'][number]['outcome'],
  sentence: string,
): string[] {
  const those = sizes.filter((size) => size.outcome === outcome);
  if (those.length === 0) return [];
  return [
    `${sentence}: ${those.map(({ pods, blocks }) => `${pods} pods, ${blocks} blocks`).join('; ')}.`,
  ];
}

/** What was not measured, in every run. */
export const NOT_MEASURED: readonly string[] = [
  'Istio’s agent beside each sidecar (a process of its own) and the filters that only Istio’s Envoy has: the sidecar here is a lower bound.',
  'Configuration of a large mesh: sidecars here know the workload’s own Services only.',
  'The control plane, whose cost is per mesh and not per mode.',
  'Networks: nodes are namespaces of one machine, so a hop costs no time on a wire.',
  'Connections that open and close, large bodies, HTTP/2 and gRPC: the load is small GET requests on 32 kept connections.',
];

/** How every run measures. */
export const METHOD: readonly string[] = [
  'The same objects in a namespace for each mode, all at once; modes, rates and idle rounds take turns in a random order within each block, and each block has all of them.',
  'Load: an open loop of GET requests at the times of a Poisson process. Latency counts from when a request was to start, so what a stalled proxy holds up is late.',
  'Processor time: of containers from their cgroups, in microseconds, proxies apart from client and servers. Node proxies count whole, also what they do for pods of the other ambient mode.',
  'Memory: private pages of every proxy, and pages of its program once for each node, as on nodes that run nothing else; mean of the rounds, and the most.',
  'Warm-up until the processor time of a request differs by a tenth at most in three windows in a row.',
  'Ratios of sums over blocks, with 95 % intervals by drawing blocks with replacement; measuring ends when half of each interval is below 5 %, or time is up, which the table says.',
];

/** What the figures suggest, most worth first. */
export function actions(report: ComparisonReport): string[] {
  const { costModel, projection, settings } = report;
  const even = costModel?.breakEven.find(({ mode }) => mode === 'ambient')?.podsPerNode ?? null;
  const podsPerNode = projection?.cluster.podsPerNode ?? null;
  return [
    ...(even !== null && podsPerNode !== null
      ? [
          podsPerNode > even.high
            ? `Enrol namespaces at L4 first (label istio.io/dataplane-mode=ambient): with ${podsPerNode} pods per node you are beyond the break-even of ${even.value.toFixed(1)}.`
            : `With ${podsPerNode} pods per node sidecars need no more memory than a node proxy: decide by what each mode gives, not by its memory.`,
        ]
      : []),
    ...(even !== null && podsPerNode === null
      ? [
          `Count the pods per node that you would enrol: from ${even.value.toFixed(1)} on, ambient mode at L4 needs less memory than sidecars. Then see: aquifer compare report … --nodes N --pods-per-node P --rps R.`,
        ]
      : []),
    'Add a waypoint only where a namespace needs HTTP routes, retries or policy by method and path: every request pays for it.',
    ...(settings.pods.length < 2
      ? ['Measure at two sizes or more, which gives a break-even and estimates.']
      : []),
    'Measure your own manifests before you decide: aquifer compare run -f FILE.',
  ];
}
