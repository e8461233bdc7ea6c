import { MODE_TITLES, type Mode } from '../modes.ts';
import { type Random, seededRandom } from '../statistics/random.ts';
import { targetUrl } from '../workload/manifests.ts';
import type { Workload } from '../workload/workload.ts';
import { type ComparisonCluster, ComparisonError } from './cluster.ts';
import { ENOUGH_IDLE, type Environment, readEnvironment } from './environment.ts';
import { ModeWorkloads } from './mode-workloads.ts';
import {
  blockRounds,
  FEWEST_BLOCKS,
  isResolved,
  isSettled,
  RESOLVED,
  type WarmUpWindow,
} from './plan.ts';
import { RoundMeter } from './round.ts';
import { proxyMicros, type Round, type RoundSample } from './sample.ts';

/** What is compared, and for how long. */
export interface ComparisonSettings {
  readonly modes: readonly Mode[];
  /** Sizes of the application in pods, the client included, ascending. */
  readonly pods: readonly number[];
  /** Requests per second. */
  readonly rates: readonly number[];
  readonly secondsPerRound: number;
  /** For each size, the warm-up included. */
  readonly timeLimitSeconds: number;
  /** Of the order and of the times of requests. */
  readonly seed: number;
}

/** What was measured at one size. */
export interface SizeRun {
  readonly pods: number;
  readonly blocks: number;
  /** `complete`: enough blocks and narrow intervals; `not resolved`: time was up before; `interrupted`. */
  readonly outcome: 'complete' | 'not resolved' | 'interrupted';
  /** Modes that were not measured, and why. */
  readonly unavailable: Readonly<Partial<Record<Mode, string>>>;
  /** Modes whose processor time had not settled when the warm-up ended. */
  readonly unsettled: readonly Mode[];
}

export interface ComparisonRun {
  readonly settings: ComparisonSettings;
  readonly workload: string;
  readonly environment: Environment;
  readonly sizes: readonly SizeRun[];
  readonly samples: readonly RoundSample[];
}

/** Where a comparison tells how far it is. */
interface ComparisonProgress {
  note(text: string): void;
  step<T>(title: string, action: () => Promise<T>): Promise<T>;
}

export interface ComparisonOptions {
  readonly cluster: ComparisonCluster;
  readonly workload: Workload;
  readonly trustDomain: string;
  readonly settings: ComparisonSettings;
  readonly progress: ComparisonProgress;
  /** Ends the measuring; what has been measured is kept, and the workloads are removed. */
  readonly signal: AbortSignal;
}

const WARM_UP_SECONDS = 2;
const LONGEST_WARM_UP = 15;
/** The warm-up may take so much of the time limit. */
const WARM_UP_PART = 0.35;
/** Without a block to compare with, there is no interval. */
const FEWEST_USEFUL_BLOCKS = 2;

/** Deploys the workload in each mode, measures it at each size, and removes it again. */
export async function runComparison(options: ComparisonOptions): Promise<ComparisonRun> {
  const { cluster, settings, progress, workload } = options;
  const environment = await progress.step('How busy this machine is', async () =>
    readEnvironment(await cluster.nodeCount()),
  );
  const { idleBefore } = environment;
  if (idleBefore < ENOUGH_IDLE) {
    progress.note(
      `  ! only ${Math.round(idleBefore * 100)} % of the processors are idle before the start: expect wide intervals`,
    );
  }
  const all = settings.modes.map((mode) => new ModeWorkloads(mode, cluster, options));
  const comparison = new Comparison(options, all);
  try {
    // A comparison that was killed may have left some behind.
    await removeAll(all);
    await comparison.measure();
  } finally {
    await removeAtEnd(all, progress);
  }
  const { sizes, samples } = comparison;
  return { settings, workload: workload.title, environment, sizes, samples };
}

/** What was measured is worth more than a clean cluster: a failure is told, and not thrown. */
async function removeAtEnd(
  all: readonly ModeWorkloads[],
  progress: ComparisonProgress,
): Promise<void> {
  try {
    await progress.step('Workloads removed', () => removeAll(all));
  } catch (error) {
    progress.note(
      `  ! ${(error as Error).message}\n    remove what is left: kubectl delete namespace ${all.map(({ namespace }) => namespace).join(' ')}`,
    );
  }
}

async function removeAll(all: readonly ModeWorkloads[]): Promise<void> {
  for (const workloads of all) await workloads.remove();
  for (const workloads of all) await workloads.untilRemoved();
}

class Comparison {
  readonly sizes: SizeRun[] = [];
  readonly samples: RoundSample[] = [];
  readonly #options: ComparisonOptions;
  readonly #meter: RoundMeter;
  readonly #random: Random;
  readonly #unavailable = new Map<Mode, string>();
  #available: readonly ModeWorkloads[];

  constructor(options: ComparisonOptions, all: readonly ModeWorkloads[]) {
    this.#options = options;
    this.#available = all;
    this.#meter = new RoundMeter(options.cluster);
    this.#random = seededRandom(options.settings.seed);
  }

  /** Throws only where nothing was measured. */
  async measure(): Promise<void> {
    const { settings, signal, progress } = this.#options;
    for (const pods of settings.pods) {
      try {
        await this.#measureSize(pods);
      } catch (error) {
        if (this.samples.length === 0) throw error;
        // What is there is worth more than nothing.
        progress.note(`  ! ${(error as Error).message}`);
        this.#note(pods, 'interrupted', []);
        return;
      }
      if (signal.aborted || this.#available.length === 0) return;
    }
  }

  async #measureSize(pods: number): Promise<void> {
    const { settings, progress, signal } = this.#options;
    await this.#deploy(pods);
    if (this.#available.length === 0) {
      const [reason] = this.#unavailable.values();
      throw new ComparisonError(`no mode can be measured: ${reason}`, 'see: aquifer check');
    }
    const deadlineMs = Date.now() + settings.timeLimitSeconds * 1000;
    const unsettled = await progress.step(`Warm-up with ${pods} pods`, () => this.#warmUp(pods));
    const own: RoundSample[] = [];
    let block = 0;
    let isEnough = false;
    while (!isEnough) {
      block += 1;
      await progress.step(`Block ${block} with ${pods} pods`, async () => {
        const samples = await this.#block(pods, block);
        own.push(...samples);
        this.samples.push(...samples);
      });
      isEnough = block >= FEWEST_BLOCKS && isResolved(own);
      if (!isEnough && block >= FEWEST_USEFUL_BLOCKS && Date.now() > deadlineMs) break;
      signal.throwIfAborted();
    }
    if (!isEnough) {
      progress.note(
        `  ! time is up after ${block} blocks: not every ratio is known to ${RESOLVED * 100} %`,
      );
    }
    this.#note(pods, isEnough ? 'complete' : 'not resolved', unsettled);
  }

  #note(pods: number, outcome: SizeRun['outcome'], unsettled: readonly Mode[]): void {
    const own = this.samples.filter((sample) => sample.pods === pods);
    this.sizes.push({
      pods,
      blocks: new Set(own.map(({ block }) => block)).size,
      outcome,
      unavailable: Object.fromEntries(this.#unavailable),
      unsettled,
    });
  }

  async #deploy(pods: number): Promise<void> {
    const { progress } = this.#options;
    for (const workloads of this.#available) {
      const title = MODE_TITLES[workloads.mode];
      const reason = await progress.step(`${pods} pods: ${title}`, () => workloads.scaleTo(pods));
      if (reason === null) continue;
      this.#unavailable.set(workloads.mode, reason);
      progress.note(`  ! ${title}: ${reason}`);
    }
    this.#available = this.#available.filter(({ mode }) => !this.#unavailable.has(mode));
  }

  /** Loads all modes in turn until what a request costs has settled; returns those where it has not. */
  async #warmUp(pods: number): Promise<Mode[]> {
    const { rates, timeLimitSeconds } = this.#options.settings;
    const deadlineMs = Date.now() + timeLimitSeconds * WARM_UP_PART * 1000;
    const rate = Math.max(...rates);
    const windows = new Map(this.#available.map(({ mode }) => [mode, [] as WarmUpWindow[]]));
    const unsettled = (): ModeWorkloads[] =>
      this.#available.filter(({ mode }) => !isSettled(windows.get(mode)!));
    for (let window = 1; window <= LONGEST_WARM_UP && Date.now() < deadlineMs; window++) {
      for (const workloads of unsettled()) {
        const { mode } = workloads;
        const round = { pods, block: 0, order: window, mode, rate, seconds: WARM_UP_SECONDS };
        const sample = await this.#round(workloads, round);
        const { succeeded, failed } = sample.load;
        const microsPerRequest = proxyMicros(sample) / Math.max(1, succeeded);
        windows.get(mode)!.push({ microsPerRequest, failed });
      }
    }
    for (const { mode } of this.#available) assertCarried(mode, windows.get(mode)!.at(-1));
    return unsettled().map(({ mode }) => mode);
  }

  async #block(pods: number, block: number): Promise<RoundSample[]> {
    const { rates, secondsPerRound: seconds } = this.#options.settings;
    const modes = this.#available.map(({ mode }) => mode);
    const samples: RoundSample[] = [];
    for (const round of blockRounds({ pods, block, modes, rates, seconds }, this.#random)) {
      const workloads = this.#available.find(({ mode }) => mode === round.mode)!;
      samples.push(await this.#round(workloads, round));
    }
    return samples;
  }

  #round(workloads: ModeWorkloads, round: Round): Promise<RoundSample> {
    this.#options.signal.throwIfAborted();
    const isAmbient = (mode: Mode): boolean => mode === 'ambient' || mode === 'waypoint';
    const ambient = this.#available.filter(({ mode }) => isAmbient(mode)).length;
    return this.#meter.measure(workloads, round, {
      url: targetUrl(round.mode, this.#options.workload),
      seed: 1 + Math.floor(this.#random() * 2 ** 31),
      podsServed: round.pods * (isAmbient(round.mode) ? ambient : 1),
    });
  }
}

/** A mode that passes its proxies by would cost nothing. */
function assertCarried(mode: Mode, window: WarmUpWindow | undefined): void {
  if (window === undefined) {
    throw new ComparisonError('there was no time to warm up', 'give more with --time-limit');
  }
  const isCarried = mode === 'none' || window.microsPerRequest > 5;
  if (isCarried && window.failed === 0) return;
  throw new ComparisonError(
    isCarried
      ? `${MODE_TITLES[mode]}: ${window.failed} requests failed at the end of the warm-up`
      : `${MODE_TITLES[mode]}: the proxies were idle, so traffic passed them by`,
    'see the logs of the proxies: kubectl logs -n istio-system ds/ztunnel; a lower --rate may be all that it needs',
  );
}
