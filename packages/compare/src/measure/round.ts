import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { LOAD_GENERATOR_PORT, type LoadResult, loadPath } from '../load.ts';
import { CgroupCpu, cgroupCpuMicros, cgroupProcesses } from '../machine/cgroup-cpu.ts';
import { type MachineCpu, machineCpu } from '../machine/machine-cpu.ts';
import { cpuSeconds } from '../machine/process-usage.ts';
import { type NodeProcess, programMemory } from '../machine/program-memory.ts';
import { type ComparisonCluster, ComparisonError } from './cluster.ts';
import { type MeasuredContainer, type ModeWorkloads, ROLES, type Role } from './mode-workloads.ts';
import { type MemoryUse, PROXY_ROLES, type Round, type RoundSample } from './sample.ts';

/** The order for a load is with the client by then; opening a connection to a pod costs more than a request. */
const LEAD_MS = 700;
/** A load that began later is made again. */
const LATEST_BEGIN_MS = 50;
const ATTEMPTS = 4;
/** Kept connections of the client. */
const CONNECTIONS = 32;

type Group = MeasuredContainer & { readonly directory: string };

interface Snapshot {
  readonly byRole: Readonly<Record<Role, number>>;
  readonly machine: MachineCpu;
  /** Of this process. */
  readonly ownMicros: number;
  /** Of containers and the cluster's own processes. */
  readonly clusterMicros: number;
}

/** Measures rounds of modes on this machine. */
export class RoundMeter {
  readonly #cluster: ComparisonCluster;
  readonly #cgroups = new CgroupCpu(readFileSync('/proc/self/mountinfo', 'utf8'));

  constructor(cluster: ComparisonCluster) {
    this.#cluster = cluster;
  }

  /** One round: the load, or as long without one. Throws if its beginning was missed again and again. */
  async measure(
    workloads: ModeWorkloads,
    round: Round,
    order: { readonly url: string; readonly seed: number; readonly podsServed: number },
  ): Promise<RoundSample> {
    let last = 'a load did not begin when it should, or a container ended meanwhile';
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      try {
        const sample = await this.#attempt(workloads, round, order);
        if (sample !== null) return sample;
      } catch (error) {
        // A busy cluster may answer late, once.
        last = (error as Error).message;
      }
    }
    throw new ComparisonError(
      `${ATTEMPTS} attempts at one round failed: ${last}`,
      'this machine is too busy, or pods restart: kubectl get pods -A',
    );
  }

  async #attempt(
    workloads: ModeWorkloads,
    round: Round,
    { url, seed, podsServed }: { url: string; seed: number; podsServed: number },
  ): Promise<RoundSample | null> {
    const { rate, seconds } = round;
    const groups = this.#groupsOf(await workloads.containers());
    const pod = await workloads.clientPod();
    const beginAtMs = Date.now() + LEAD_MS;
    const request = { url, rate, seconds, connections: CONNECTIONS, seed, beginAtMs };
    const page = { port: LOAD_GENERATOR_PORT, path: loadPath(request) };
    const answer = rate === 0 ? null : this.#cluster.ask(pod, page);
    // It is awaited below; until then a failure must not end the process.
    answer?.catch(() => undefined);
    const processes = processesOf(groups);
    await until(beginAtMs);
    const before = this.#snapshot(groups);
    await until(beginAtMs + (seconds * 1000) / 2);
    const middle = memoryOf(processes);
    await until(beginAtMs + seconds * 1000);
    const after = this.#snapshot(groups);
    const memory = combined([middle, memoryOf(processes)]);
    const load = answer === null ? NO_LOAD : (JSON.parse(await answer) as LoadResult);
    if (before === null || after === null || load.beganLateMs > LATEST_BEGIN_MS) return null;
    const { intended, succeeded, failed, latencies, longestLateMs } = load;
    return {
      ...round,
      podsServed,
      load: { intended, succeeded, failed, latencies, longestLateMs },
      ...difference(before, after),
      memory,
    };
  }

  #groupsOf(containers: readonly MeasuredContainer[]): Group[] {
    const directories = this.#cgroups.directories(containers.map(({ id }) => id));
    return containers.map((container) => {
      const directory = directories.get(container.id);
      if (directory !== undefined) return { ...container, directory };
      throw new ComparisonError(
        `container ${container.id} has no cgroup on this machine`,
        'only pods that run on this machine can be measured: use its sandbox (aquifer sandbox up)',
      );
    });
  }

  /** Null if a container is gone. */
  #snapshot(groups: readonly Group[]): Snapshot | null {
    const byRole = emptyByRole();
    for (const { role, directory } of groups) {
      const micros = cgroupCpuMicros(directory);
      if (micros === null) return null;
      byRole[role] += micros;
    }
    const { user, system } = process.cpuUsage();
    const cluster = cpuSeconds(this.#cluster.processes) * 1e6;
    return {
      byRole,
      machine: machineCpu(),
      ownMicros: user + system,
      clusterMicros: cluster + this.#cgroups.podsMicros(),
    };
  }
}

const NO_LOAD: LoadResult = {
  intended: 0,
  succeeded: 0,
  failed: 0,
  latencies: {},
  longestGapMs: 0,
  longestLateMs: 0,
  beganLateMs: 0,
};

async function until(atMs: number): Promise<void> {
  await delay(Math.max(0, atMs - Date.now()));
}

function emptyByRole(): Record<Role, number> {
  return { sidecar: 0, nodeProxy: 0, waypoint: 0, generator: 0, servers: 0 };
}

function difference(before: Snapshot, after: Snapshot): Pick<RoundSample, 'cpuMicros' | 'machine'> {
  const cpuMicros = emptyByRole();
  for (const role of ROLES) cpuMicros[role] = after.byRole[role] - before.byRole[role];
  const own = after.ownMicros - before.ownMicros;
  const busy = after.machine.busyMicros - before.machine.busyMicros - own;
  const softirq = after.machine.softirqMicros - before.machine.softirqMicros;
  const cluster = after.clusterMicros - before.clusterMicros;
  return {
    cpuMicros,
    machine: {
      busy,
      kernel: after.machine.kernelMicros - before.machine.kernelMicros,
      softirq,
      foreign: Math.max(0, busy - softirq - cluster),
    },
  };
}

type Processes = ReadonlyMap<Role, readonly NodeProcess[]>;
type MemoryByRole = RoundSample['memory'];

function processesOf(groups: readonly Group[]): Processes {
  return new Map(
    PROXY_ROLES.map((role) => [
      role,
      groups
        .filter((group) => group.role === role)
        .flatMap(({ directory, node }) => cgroupProcesses(directory).map((pid) => ({ pid, node }))),
    ]),
  );
}

function memoryOf(processes: Processes): MemoryByRole {
  return Object.fromEntries(
    [...processes]
      .filter(([, list]) => list.length > 0)
      .map(([role, list]) => {
        const { privateKiB, fileKiB } = programMemory(list);
        return [role, { privateKiB, fileKiB, peakKiB: privateKiB + fileKiB }];
      }),
  );
}

/** The mean of several looks, and the most of them. */
function combined(looks: readonly MemoryByRole[]): MemoryByRole {
  return Object.fromEntries(
    PROXY_ROLES.flatMap((role) => {
      const own = looks.flatMap((look): MemoryUse[] =>
        look[role] === undefined ? [] : [look[role]],
      );
      if (own.length === 0) return [];
      const mean = (field: keyof MemoryUse): number =>
        own.reduce((sum, use) => sum + use[field], 0) / own.length;
      const peakKiB = Math.max(...own.map((use) => use.peakKiB));
      return [[role, { privateKiB: mean('privateKiB'), fileKiB: mean('fileKiB'), peakKiB }]];
    }),
  );
}
