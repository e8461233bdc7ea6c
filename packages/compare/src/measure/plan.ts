import type { Mode } from '../modes.ts';
import { bootstrap, relativeHalfWidth } from '../statistics/bootstrap.ts';
import type { Random } from '../statistics/random.ts';
import { shuffled } from '../statistics/random.ts';
import { proxyMicros, type Round, type RoundSample } from './sample.ts';

/** Blocks until a result counts as measured; time may end a run before. */
export const FEWEST_BLOCKS = 10;
/** Half of the width of an interval that is narrow enough, as a part of the estimate. */
export const RESOLVED = 0.05;
const IDLE_SECONDS = 1;

export interface BlockOptions {
  readonly pods: number;
  readonly block: number;
  readonly modes: readonly Mode[];
  /** Requests per second; each block also has an idle round of each mode. */
  readonly rates: readonly number[];
  readonly seconds: number;
}

/** The rounds of one block: every mode at every rate and idle, in a random order. */
export function blockRounds(options: BlockOptions, random: Random): Round[] {
  const { pods, block, modes, rates, seconds } = options;
  const cells = modes.flatMap((mode) => [0, ...rates].map((rate) => ({ mode, rate })));
  return shuffled(cells, random).map(({ mode, rate }, at) => ({
    pods,
    block,
    order: at + 1,
    mode,
    rate,
    seconds: rate === 0 ? IDLE_SECONDS : seconds,
  }));
}

/** Whether every ratio of processor time to the sidecars' is known well enough, at the highest rate of these samples. */
export function isResolved(samples: readonly RoundSample[]): boolean {
  const rate = Math.max(0, ...samples.map((sample) => sample.rate));
  const loaded = samples.filter((sample) => sample.rate === rate);
  const measured = new Set(loaded.map(({ mode }) => mode));
  const base = measured.has('sidecar') ? 'sidecar' : null;
  const others = [...measured].filter((mode) => mode !== 'none' && mode !== base);
  return others.every((mode) => relativeHalfWidth(cpuRatio(loaded, mode, base)) < RESOLVED);
}

/** A window of a warm-up. */
export interface WarmUpWindow {
  readonly microsPerRequest: number;
  readonly failed: number;
}

const SETTLED_WINDOWS = 3;
const SETTLED_SPREAD = 0.1;
/** The compiler needs about ten seconds of load. */
const FEWEST_WINDOWS = 5;

/** Whether the processor time of a request has settled: the last windows differ by a tenth at most, and none failed. */
export function isSettled(windows: readonly WarmUpWindow[]): boolean {
  if (windows.length < FEWEST_WINDOWS) return false;
  const last = windows.slice(-SETTLED_WINDOWS);
  const costs = last.map(({ microsPerRequest }) => microsPerRequest);
  const spread = Math.max(...costs) - Math.min(...costs);
  return last.every(({ failed }) => failed === 0) && spread <= SETTLED_SPREAD * Math.max(...costs);
}

/** Samples of one block belong together. */
export function byBlock(samples: readonly RoundSample[]): RoundSample[][] {
  const blocks = Map.groupBy(samples, ({ pods, block }) => `${pods} ${block}`);
  return [...blocks.values()];
}

/**
 * Processor time of a mode's proxies per request over that of `base` (null: its own, in microseconds), as a ratio of
 * sums over blocks, with its interval; null where too little was measured.
 */
export function cpuRatio(
  samples: readonly RoundSample[],
  mode: Mode,
  base: Mode | null,
): ReturnType<typeof bootstrap> {
  const perRequest = (drawn: readonly RoundSample[], of: Mode): number => {
    const own = drawn.filter((sample) => sample.mode === of);
    const requests = own.reduce((sum, { load }) => sum + load.succeeded, 0);
    return own.reduce((sum, sample) => sum + proxyMicros(sample), 0) / requests;
  };
  return bootstrap(byBlock(samples), (blocks) => {
    const drawn = blocks.flat();
    return perRequest(drawn, mode) / (base === null ? 1 : perRequest(drawn, base));
  });
}
