import { cpus, loadavg, release, totalmem } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { machineCpu } from '../machine/machine-cpu.ts';

/** What a run was made on. */
export interface Environment {
  readonly startedAt: string;
  readonly processor: string;
  readonly processors: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly nodes: number;
  /** Before anything was started. */
  readonly loadAverage: number;
  /** Part of the processors that was idle before anything was started. */
  readonly idleBefore: number;
}

/** Below this part of idle processors before the start, the machine is too busy for what it says to be trusted. */
export const ENOUGH_IDLE = 0.7;
const NOISE_MS = 2_000;

/** Describes the machine, and looks for two seconds how busy it is with other things. The host's name is left out. */
export async function readEnvironment(nodes: number): Promise<Environment> {
  const before = machineCpu();
  await delay(NOISE_MS);
  const after = machineCpu();
  const total = after.totalMicros - before.totalMicros;
  const [loadAverage = 0] = loadavg();
  return {
    startedAt: new Date().toISOString(),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    processors: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    nodes,
    loadAverage,
    idleBefore: 1 - (after.busyMicros - before.busyMicros) / Math.max(1, total),
  };
}
