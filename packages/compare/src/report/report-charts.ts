import { type CostModel, MESH_MODES, type MeshMode, needOf } from '../estimate/cost-model.ts';
import { quantileMs } from '../statistics/histogram.ts';
import { type Chart, type Point, type Series, ticksTo } from './chart.ts';
import type { ComparisonReport, ModeReport, SizeReport } from './report.ts';

/** Pods per node that a chart shows at least: how full nodes usually are. */
const USUAL_PODS_PER_NODE = 30;
const STEPS = 40;
/** Parts of requests, and how they are written on an axis of nines. */
const QUANTILES = [0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999];

/** The charts of a report: memory and processor time against pods per node, and latencies. */
export function reportCharts(report: ComparisonReport): Chart[] {
  const { costModel } = report;
  return [
    ...(costModel === null
      ? []
      : [memoryChart(report, costModel), processorChart(report, costModel)]),
    ...report.sizes.slice(0, 1).map(latencyChart),
  ];
}

function memoryChart(report: ComparisonReport, model: CostModel): Chart {
  const { nodes } = report.environment;
  const series = againstPods(report, model, {
    fitted: ({ memoryMiB }) => memoryMiB / nodes,
    measured: ({ memory }) => (memory.total?.value ?? Number.NaN) / nodes,
    rps: 0,
  });
  const marks = model.breakEven.flatMap(({ mode, podsPerNode }) =>
    podsPerNode === null
      ? []
      : [{ x: podsPerNode.value, mode, text: `break-even ${podsPerNode.value.toFixed(1)}` }],
  );
  return {
    title: 'Memory of the proxies of a node',
    x: { title: 'pods per node', ticks: ticksTo(mostPods(report)) },
    y: { title: 'MiB', ticks: ticksTo(highest(series)) },
    series,
    marks: marks.filter(({ x }) => x <= mostPods(report)),
  };
}

function processorChart(report: ComparisonReport, model: CostModel): Chart {
  const { nodes } = report.environment;
  const rate = Math.max(...report.settings.rates);
  const series = againstPods(report, model, {
    fitted: ({ cpuMillis }) => cpuMillis / nodes,
    measured: ({ rates }) => {
      const loaded = rates.find((candidate) => candidate.rate === rate);
      if (loaded?.proxies === null || loaded === undefined) return Number.NaN;
      return (loaded.proxies.value * loaded.achieved) / 1000 / nodes;
    },
    rps: rate,
  });
  return {
    title: `CPU of the proxies of a node, ${rate} requests/s in all`,
    x: { title: 'pods per node', ticks: ticksTo(mostPods(report)) },
    y: { title: 'millicores', ticks: ticksTo(highest(series)) },
    series,
    marks: [],
  };
}

function latencyChart(size: SizeReport): Chart {
  const rate = size.modes[0]?.rates.at(-1)?.rate ?? 0;
  const series = size.modes.map(({ mode, rates }): Series => {
    const histogram = rates.at(-1)?.histogram ?? {};
    const line = QUANTILES.map((part): Point => [1 / (1 - part), quantileMs(histogram, part)]);
    return { mode, line, dots: line };
  });
  const values = series.flatMap(({ line }) => line.map(([, y]) => y)).filter((y) => y > 0);
  const first = Math.floor(Math.log10(Math.min(...values)));
  const last = Math.ceil(Math.log10(Math.max(...values)));
  return {
    title: `Latency, ${size.pods} pods, ${rate} requests/s`,
    x: {
      title: 'so much of the requests was answered in',
      ticks: [2, 10, 100, 1000],
      isLogarithmic: true,
      label: (tick) => `${Number((100 - 100 / tick).toFixed(1))} %`,
    },
    y: {
      title: 'ms, from when it was to start',
      ticks: Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i)),
      isLogarithmic: true,
    },
    series,
    marks: [],
  };
}

interface Against {
  readonly fitted: (need: { readonly memoryMiB: number; readonly cpuMillis: number }) => number;
  readonly measured: (mode: ModeReport) => number;
  readonly rps: number;
}

function againstPods(
  report: ComparisonReport,
  model: CostModel,
  { fitted, measured, rps }: Against,
): Series[] {
  const { nodes } = report.environment;
  const most = mostPods(report);
  const at = (mode: MeshMode, podsPerNode: number): Point[] => {
    const need = needOf(model.costs, mode, { nodes, podsPerNode, rps, waypoints: 1 });
    return need === null ? [] : [[podsPerNode, fitted(need)]];
  };
  return MESH_MODES.map((mode) => ({
    mode,
    line: Array.from({ length: STEPS + 1 }, (_, i) => at(mode, (i * most) / STEPS)).flat(),
    dots: report.sizes.flatMap((size) =>
      size.modes
        .filter((own) => own.mode === mode)
        .map((own): Point => [size.podsPerNode, measured(own)])
        .filter(([, value]) => Number.isFinite(value)),
    ),
  }));
}

function mostPods({ sizes }: ComparisonReport): number {
  return Math.max(USUAL_PODS_PER_NODE, ...sizes.map(({ podsPerNode }) => podsPerNode));
}

function highest(series: readonly Series[]): number {
  return Math.max(...series.flatMap(({ line, dots }) => [...line, ...dots].map(([, y]) => y)));
}
