import { type ClusterSize, type CostModel, costModel } from '../estimate/cost-model.ts';
import { type Prices, type Projection, project } from '../estimate/projection.ts';
import type { ComparisonRun, SizeRun } from '../measure/comparison.ts';
import { byBlock, cpuRatio } from '../measure/plan.ts';
import { PROXY_ROLES, proxyMicros, type RoundSample } from '../measure/sample.ts';
import { MODES, type Mode } from '../modes.ts';
import { bootstrap, type Estimate } from '../statistics/bootstrap.ts';
import { addHistograms, type Histogram, quantileMs } from '../statistics/histogram.ts';

/** Everything that a run says, and what it says it from. */
export interface ComparisonReport extends Omit<ComparisonRun, 'sizes'> {
  /** The command that makes the run again. */
  readonly command: string;
  readonly sizes: readonly SizeReport[];
  /** Null where one size or no rate was measured. */
  readonly costModel: CostModel | null;
  readonly projection: Projection | null;
  /** Mean part of the processors that programs outside of the cluster used while it was measured. */
  readonly foreignPart: number;
}

export interface SizeReport extends SizeRun {
  readonly podsPerNode: number;
  readonly modes: readonly ModeReport[];
}

export interface ModeReport {
  readonly mode: Mode;
  readonly memory: MemoryReport;
  /** Processor time of the proxies without a request, in thousandths of a processor. */
  readonly idleMillis: number;
  readonly rates: readonly RateReport[];
}

/** In MiB, of all proxies of the mode, over all rounds of a size. */
interface MemoryReport {
  readonly total: Estimate | null;
  readonly private: number;
  /** Pages of programs, once for each node. */
  readonly file: number;
  readonly peak: number;
  readonly ratioToSidecars: Estimate | null;
}

/** What a mode did at one rate. */
export interface RateReport {
  readonly rate: number;
  /** Requests per second that were answered with 200. */
  readonly achieved: number;
  readonly requests: number;
  readonly failed: number;
  /** Microseconds of processor time per request: of proxies, of the client, and of the servers. */
  readonly proxies: Estimate | null;
  readonly ratioToSidecars: Estimate | null;
  readonly generator: number;
  readonly servers: number;
  /** What the whole cluster did per request more than without a mesh: all pods, the cluster's processes, soft interrupts. */
  readonly machineAdded: Estimate | null;
  /** From when requests were to start, in milliseconds. */
  readonly latencies: Readonly<Record<'p50' | 'p90' | 'p99' | 'p999', number>>;
  readonly histogram: Histogram;
}

export interface ReportOptions {
  readonly command: string;
  /** To estimate for. */
  readonly cluster: ClusterSize | null;
  readonly prices: Prices | null;
}

/** Says what a run measured. */
export function reportRun(run: ComparisonRun, options: ReportOptions): ComparisonReport {
  const { environment, samples } = run;
  const { nodes } = environment;
  const source = `aquifer compare run of ${environment.startedAt.slice(0, 10)} on ${environment.processors} × ${environment.processor}, ${run.workload}`;
  const model = costModel(samples, nodes, source);
  const { command, cluster, prices } = options;
  const seconds = sumOf(samples, (sample) => sample.seconds);
  const foreign = sumOf(samples, ({ machine }) => machine.foreign);
  return {
    ...run,
    command,
    sizes: run.sizes.map((size) => sizeReport(size, samples, nodes)),
    costModel: model,
    projection: model === null || cluster === null ? null : project(model, cluster, prices),
    foreignPart: foreign / Math.max(1, seconds * 1e6 * environment.processors),
  };
}

function sizeReport(size: SizeRun, all: readonly RoundSample[], nodes: number): SizeReport {
  const samples = all.filter(({ pods }) => pods === size.pods);
  const modes = MODES.filter((mode) => samples.some((sample) => sample.mode === mode));
  return {
    ...size,
    podsPerNode: size.pods / nodes,
    modes: modes.map((mode) => modeReport(mode, samples)),
  };
}

function modeReport(mode: Mode, samples: readonly RoundSample[]): ModeReport {
  const own = samples.filter((sample) => sample.mode === mode);
  const idle = own.filter(({ rate }) => rate === 0);
  const rates = [...new Set(own.map(({ rate }) => rate))].filter((rate) => rate > 0);
  return {
    mode,
    memory: memoryReport(mode, samples),
    idleMillis:
      sumOf(idle, proxyMicros) /
      Math.max(
        1,
        sumOf(idle, ({ seconds }) => seconds),
      ) /
      1000,
    rates: rates.sort((a, b) => a - b).map((rate) => rateReport(mode, rate, samples)),
  };
}

function memoryReport(mode: Mode, samples: readonly RoundSample[]): MemoryReport {
  const own = samples.filter((sample) => sample.mode === mode);
  const mean = (drawn: readonly RoundSample[], of: Mode): number => {
    const rounds = drawn.filter((sample) => sample.mode === of);
    return sumOf(rounds, (s) => mib(s, 'privateKiB') + mib(s, 'fileKiB')) / rounds.length;
  };
  const blocks = byBlock(samples);
  const hasBase = isMesh(mode) && samples.some((sample) => sample.mode === 'sidecar');
  return {
    total: bootstrap(blocks, (drawn) => mean(drawn.flat(), mode)),
    private: sumOf(own, (sample) => mib(sample, 'privateKiB')) / own.length,
    file: sumOf(own, (sample) => mib(sample, 'fileKiB')) / own.length,
    peak: Math.max(...own.map((sample) => mib(sample, 'peakKiB'))),
    ratioToSidecars: hasBase
      ? bootstrap(blocks, (drawn) => mean(drawn.flat(), mode) / mean(drawn.flat(), 'sidecar'))
      : null,
  };
}

function rateReport(mode: Mode, rate: number, all: readonly RoundSample[]): RateReport {
  const samples = all.filter((sample) => sample.rate === rate);
  const own = samples.filter((sample) => sample.mode === mode);
  const requests = sumOf(own, ({ load }) => load.succeeded);
  const histogram = addHistograms(own.map(({ load }) => load.latencies));
  const measured = new Set(samples.map((sample) => sample.mode));
  const perRequest = (drawn: readonly RoundSample[], of: Mode): number => {
    const rounds = drawn.filter((sample) => sample.mode === of);
    const cluster = sumOf(rounds, ({ machine }) => machine.busy - machine.foreign);
    return cluster / sumOf(rounds, ({ load }) => load.succeeded);
  };
  return {
    rate,
    achieved: requests / sumOf(own, ({ seconds }) => seconds),
    requests,
    failed: sumOf(own, ({ load }) => load.failed),
    proxies: cpuRatio(samples, mode, null),
    ratioToSidecars:
      isMesh(mode) && measured.has('sidecar') ? cpuRatio(samples, mode, 'sidecar') : null,
    generator: sumOf(own, ({ cpuMicros }) => cpuMicros.generator) / requests,
    servers: sumOf(own, ({ cpuMicros }) => cpuMicros.servers) / requests,
    machineAdded:
      mode !== 'none' && measured.has('none')
        ? bootstrap(byBlock(samples), (blocks) => {
            const drawn = blocks.flat();
            return perRequest(drawn, mode) - perRequest(drawn, 'none');
          })
        : null,
    latencies: {
      p50: quantileMs(histogram, 0.5),
      p90: quantileMs(histogram, 0.9),
      p99: quantileMs(histogram, 0.99),
      p999: quantileMs(histogram, 0.999),
    },
    histogram,
  };
}

/** Compared with sidecars, and not they themselves. */
function isMesh(mode: Mode): boolean {
  return mode !== 'none' && mode !== 'sidecar';
}

function mib({ memory }: RoundSample, field: 'privateKiB' | 'fileKiB' | 'peakKiB'): number {
  return PROXY_ROLES.reduce((sum, role) => sum + (memory[role]?.[field] ?? 0), 0) / 1024;
}

function sumOf(samples: readonly RoundSample[], value: (sample: RoundSample) => number): number {
  return samples.reduce((sum, sample) => sum + value(sample), 0);
}
