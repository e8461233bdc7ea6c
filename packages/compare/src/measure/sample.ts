import type { Mode } from '../modes.ts';
import type { Histogram } from '../statistics/histogram.ts';
import type { Role } from './mode-workloads.ts';

/** Where a round stands in a run. */
export interface Round {
  /** Pods of the application, the client included. */
  readonly pods: number;
  /** From 1; modes and rates of one block are measured one after the other, in a random order. */
  readonly block: number;
  /** Place in the block, from 1. */
  readonly order: number;
  readonly mode: Mode;
  /** Requests per second that were asked for; 0 is an idle round. */
  readonly rate: number;
  readonly seconds: number;
}

/** What was measured in one round. Processor times are microseconds while the load ran, memory is KiB. */
export interface RoundSample extends Round {
  readonly load: RoundLoad;
  /** Of containers, from their cgroups. */
  readonly cpuMicros: Readonly<Record<Role, number>>;
  readonly machine: MachineUse;
  readonly memory: Readonly<Partial<Record<ProxyRole, MemoryUse>>>;
  /** Pods that the proxies hold: node proxies serve the pods of all ambient modes. */
  readonly podsServed: number;
}

export type ProxyRole = Extract<Role, 'sidecar' | 'nodeProxy' | 'waypoint'>;
export const PROXY_ROLES: readonly ProxyRole[] = ['sidecar', 'nodeProxy', 'waypoint'];

interface RoundLoad {
  readonly intended: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly latencies: Histogram;
  readonly longestLateMs: number;
}

/** Microseconds of all processors together, from /proc/stat. */
interface MachineUse {
  /** Without this command's own. */
  readonly busy: number;
  readonly kernel: number;
  readonly softirq: number;
  /** Of processes that have nothing to do with the cluster. */
  readonly foreign: number;
}

export interface MemoryUse {
  readonly privateKiB: number;
  readonly fileKiB: number;
  /** Both together, the most of the round. */
  readonly peakKiB: number;
}

/** Processor time of the mode's proxies. */
export function proxyMicros({ cpuMicros }: RoundSample): number {
  return PROXY_ROLES.reduce((sum, role) => sum + cpuMicros[role], 0);
}
