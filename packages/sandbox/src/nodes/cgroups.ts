/**
 * Control groups of pods, laid out as the kubelet lays them out, under one directory of our own:
 *
 *   <hierarchy>/aquifer/kubepods/<qos>/pod<uid>/<container id>
 *
 * They name the pod of every process (ztunnel finds a pod by its uid in /proc/<pid>/cgroup), end a pod with everything
 * that it started, and limit and count what its containers use. Used are the unified hierarchy (v2, or the v2 half of a
 * hybrid machine) and those of v1 that have a controller for it.
 */
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { QosClass } from '@aquifer/model/kubernetes';
import {
  type ContainerLimits,
  type Hierarchy,
  hierarchies,
  limitSettings,
  numberAfter,
  oomFile,
  USAGE_FILES,
} from './cgroup-hierarchies.ts';

const OWN_DIRECTORY = 'aquifer';
/** How long the kernel may take to end killed processes before `remove` gives up. */
const REMOVE_DEADLINE_MS = 5_000;

/** The path of a pod's group below each hierarchy. */
export function podGroup(uid: string, qos: QosClass): string {
  const parent = qos === 'Guaranteed' ? '' : `${qos.toLowerCase()}/`;
  return `${OWN_DIRECTORY}/kubepods/${parent}pod${uid}`;
}

const UNLIMITED: ContainerLimits = { processors: null, memoryBytes: null };

/** What a group has used and uses. */
export interface GroupUsage {
  /** Since it was made. */
  readonly processorSeconds: number;
  /** Without files that could be read again; what the kubelet calls the working set. Null where memory is not counted. */
  readonly memoryBytes: number | null;
}

/** All groups of this machine's sandbox. Paths given to its methods are relative, as `podGroup` makes them. */
export class Cgroups {
  readonly #hierarchies: readonly Hierarchy[];

  /** Throws when the machine has no usable hierarchy. */
  constructor() {
    this.#hierarchies = hierarchies(readFileSync('/proc/self/mountinfo', 'utf8'), delegate);
    if (this.#hierarchies.length === 0) {
      throw new Error('no cgroup hierarchy is mounted: mount cgroup2 on /sys/fs/cgroup');
    }
  }

  /** Limits that this machine does not let us set. */
  missingLimits(): readonly ('cpu' | 'memory')[] {
    const names = ['cpu', 'memory'] as const;
    return names.filter((name) =>
      this.#hierarchies.every(({ controllers }) => !controllers.includes(name)),
    );
  }

  /** Throws when the machine refuses a limit. */
  async create(group: string, limits: ContainerLimits = UNLIMITED): Promise<void> {
    for (const hierarchy of this.#hierarchies) {
      if (hierarchy.isForProcessorLimits && limits.processors === null) continue;
      const directory = `${hierarchy.root}/${group}`;
      await mkdir(directory, { recursive: true });
      await passOn(hierarchy, group);
      for (const [file, value] of limitSettings(hierarchy, limits)) {
        await writeFile(`${directory}/${file}`, value);
      }
    }
  }

  /** Files to which a process writes `0` to move itself into the group. */
  joinFiles(group: string): readonly string[] {
    return this.#hierarchies
      .map(({ root }) => `${root}/${group}/cgroup.procs`)
      .filter((file) => existsSync(file));
  }

  /** Whether the kernel has ended a process of the group because it wanted more memory than its limit. */
  async hasRunOutOfMemory(group: string): Promise<boolean> {
    const hierarchy = this.#hierarchies.find(({ controllers }) => controllers.includes('memory'));
    if (hierarchy === undefined) return false;
    const file = `${hierarchy.root}/${group}/${oomFile(hierarchy)}`;
    // Without a group it was the sandbox that ended its processes.
    const text = await readFile(file, 'utf8').catch(() => '');
    return numberAfter(text, 'oom_kill') > 0;
  }

  /** Null when the group is gone. */
  async usage(group: string): Promise<GroupUsage | null> {
    const counting = this.#hierarchies.find(
      ({ version, controllers }) => version === 2 || controllers.includes('cpuacct'),
    );
    const holding = this.#hierarchies.find(({ controllers }) => controllers.includes('memory'));
    try {
      return {
        processorSeconds: counting === undefined ? 0 : await processorSeconds(counting, group),
        memoryBytes: holding === undefined ? null : await workingSetBytes(holding, group),
      };
    } catch {
      return null;
    }
  }

  /** Processes in the group and below it. */
  processes(group: string): readonly number[] {
    const found = new Set<number>();
    for (const { root } of this.#hierarchies) collectProcesses(`${root}/${group}`, found);
    return [...found];
  }

  /** Kills what runs in the group, waits for its end and removes the group. Returns false if something stayed. */
  async remove(group: string): Promise<boolean> {
    const deadline = Date.now() + REMOVE_DEADLINE_MS;
    for (;;) {
      await this.#kill(group);
      if (this.#removeDirectories(group)) return true;
      if (Date.now() > deadline) return false;
      await sleep(10);
    }
  }

  /** Ends every process of every pod, also of a sandbox that crashed, and removes all groups. */
  removeAll(): Promise<boolean> {
    return this.remove(OWN_DIRECTORY);
  }

  async #kill(group: string): Promise<void> {
    for (const { root } of this.#hierarchies) {
      const killFile = `${root}/${group}/cgroup.kill`;
      // Kernels before 5.14 and v1 hierarchies lack it; the loop below covers them.
      if (existsSync(killFile)) await writeFile(killFile, '1').catch(() => undefined);
    }
    for (const pid of this.processes(group)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Ended between the listing and the signal.
      }
    }
  }

  #removeDirectories(group: string): boolean {
    return this.#hierarchies.every(({ root }) => removeTree(`${root}/${group}`));
  }
}

/** Of the controllers of a unified hierarchy, those that it gives to groups below its root. */
function delegate(root: string, names: readonly string[]): readonly string[] {
  const available = readFileSync(`${root}/cgroup.controllers`, 'utf8').trim().split(' ');
  return names.filter((name) => {
    if (!available.includes(name)) return false;
    try {
      writeFileSync(`${root}/cgroup.subtree_control`, `+${name}`);
      return true;
    } catch {
      // Processes beside groups, or a hierarchy that is not ours to change.
      return false;
    }
  });
}

/** Lets a new group limit what it holds: on v2 each group above has to say so; on v1 the uppermost has a weight. */
async function passOn({ root, version, controllers }: Hierarchy, group: string): Promise<void> {
  if (version === 1) {
    if (!controllers.includes('cpu')) return;
    const weight = 1024 * availableParallelism();
    await writeFile(`${root}/${OWN_DIRECTORY}/cpu.shares`, `${weight}`);
    return;
  }
  const enabled = controllers.map((name) => `+${name}`).join(' ');
  const names = group.split('/');
  for (let depth = 1; depth < names.length; depth++) {
    const parent = `${root}/${names.slice(0, depth).join('/')}`;
    await writeFile(`${parent}/cgroup.subtree_control`, enabled);
  }
}

async function processorSeconds({ root, version }: Hierarchy, group: string): Promise<number> {
  const { file, line, unit } = USAGE_FILES[version].processor;
  const text = await readFile(`${root}/${group}/${file}`, 'utf8');
  return (line === null ? Number(text) : numberAfter(text, line)) * unit;
}

async function workingSetBytes({ root, version }: Hierarchy, group: string): Promise<number> {
  const { file, cacheLine } = USAGE_FILES[version].memory;
  const used = Number(await readFile(`${root}/${group}/${file}`, 'utf8'));
  const cache = numberAfter(await readFile(`${root}/${group}/memory.stat`, 'utf8'), cacheLine);
  return Math.max(0, used - cache);
}

function collectProcesses(directory: string, into: Set<number>): void {
  for (const child of subdirectories(directory)) collectProcesses(child, into);
  try {
    for (const line of readFileSync(`${directory}/cgroup.procs`, 'utf8').split('\n')) {
      if (line !== '') into.add(Number(line));
    }
  } catch {
    // The group is gone, and its processes with it.
  }
}

function removeTree(directory: string): boolean {
  if (!existsSync(directory)) return true;
  if (!subdirectories(directory).every(removeTree)) return false;
  try {
    rmdirSync(directory);
    return true;
  } catch {
    return !existsSync(directory);
  }
}

function subdirectories(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${directory}/${entry.name}`);
  } catch {
    return [];
  }
}
