import type { Mode } from '../modes.ts';
import { histogramOf } from '../statistics/histogram.ts';
import type { ProxyRole, RoundSample } from './sample.ts';

/** Nodes of the cluster that was not measured. */
export const NODES = 2;
const MIB = 1024;

/** A round of proxies that cost what the lines say, two seconds long. */
function sample(mode: Mode, pods: number, rate: number, block: number): RoundSample {
  const cpuMicros = { sidecar: 0, nodeProxy: 0, waypoint: 0, generator: 0, servers: 0 };
  const memory: Partial<
    Record<ProxyRole, { privateKiB: number; fileKiB: number; peakKiB: number }>
  > = {};
  const use = (role: ProxyRole, mib: number, millis: number): void => {
    memory[role] = { privateKiB: (mib - 10) * MIB, fileKiB: 10 * MIB, peakKiB: mib * MIB };
    cpuMicros[role] = millis * 2 * 1000;
  };
  if (mode === 'sidecar') use('sidecar', 25 * NODES + 16 * pods, pods + 0.6 * rate);
  if (mode === 'ambient') use('nodeProxy', 100 * NODES + 0.5 * pods, NODES * 2 + 0.2 * rate);
  if (mode === 'waypoint') {
    use('nodeProxy', 100 * NODES + 0.5 * pods, NODES * 2 + 0.3 * rate);
    use('waypoint', 120, 3 + 0.25 * rate);
  }
  return {
    ...{ pods, block, order: 1, mode, rate, seconds: 2, podsServed: pods, cpuMicros, memory },
    load: {
      ...{ intended: 2 * rate, succeeded: 2 * rate, failed: 0 },
      ...{ latencies: histogramOf(rate === 0 ? [] : [1, 2, 3, 50]), longestLateMs: 0 },
    },
    machine: { busy: 0, kernel: 0, softirq: 0, foreign: 0 },
  };
}

/** Rounds that follow the lines exactly: two sizes, one rate and idle, two blocks. */
export const SAMPLES: readonly RoundSample[] = (
  ['none', 'sidecar', 'ambient', 'waypoint'] as const
).flatMap((mode) =>
  [4, 50].flatMap((pods) =>
    [0, 500].flatMap((rate) => [1, 2].map((block) => sample(mode, pods, rate, block))),
  ),
);
