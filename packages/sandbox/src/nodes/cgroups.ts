/**
 * Control groups of pods, laid out as the kubelet lays them out, under one directory of our own:
 *
 *   <hierarchy>/aquifer/kubepods/<qos>/pod<uid>/<container id>
 *
 * They name the pod of every process (ztunnel finds a pod by its uid in /proc/<pid>/cgroup) and end a pod with
 * everything that it started. Used are the unified hierarchy (v2, or the v2 half of a hybrid machine) and, where the
 * machine has v1 controllers, `pids`; without a unified one `cpuacct`, too, which counts the processor time of each
 * container as `cpu.stat` does.
 */

import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { QosClass } from '@aquifer/model/kubernetes';

const OWN_DIRECTORY = 'aquifer';
/** How long the kernel may take to end killed processes before `remove` gives up. */
const REMOVE_DEADLINE_MS = 5_000;

/** The path of a pod's group below each hierarchy. */
export function podGroup(uid: string, qos: QosClass): string {
  const parent = qos === 'Guaranteed' ? '' : `${qos.toLowerCase()}/`;
  return `${OWN_DIRECTORY}/kubepods/${parent}pod${uid}`;
}

/** Mount points of the hierarchies to use, from the text of /proc/self/mountinfo. */
export function hierarchies(mountInfo: string): readonly string[] {
  const unified: string[] = [];
  const pids: string[] = [];
  const accounting: string[] = [];
  for (const line of mountInfo.split('\n')) {
    const [mount, filesystem] = line.split(' - ');
    const path = mount?.split(' ')[4];
    if (path === undefined || filesystem === undefined) continue;
    const [type, , options] = filesystem.split(' ');
    if (type === 'cgroup2') unified.push(path);
    if (type !== 'cgroup') continue;
    const controllers = options?.split(',') ?? [];
    if (controllers.includes('pids')) pids.push(path);
    if (controllers.includes('cpuacct')) accounting.push(path);
  }
  const counting = unified.length > 0 ? unified : accounting;
  return [...counting.slice(0, 1), ...pids.slice(0, 1)];
}

/** All groups of this machine's sandbox. Paths given to its methods are relative, as `podGroup` makes them. */
export class Cgroups {
  readonly #hierarchies: readonly string[];

  /** Throws when the machine has no usable hierarchy. */
  constructor() {
    this.#hierarchies = hierarchies(readFileSync('/proc/self/mountinfo', 'utf8'));
    if (this.#hierarchies.length === 0) {
      throw new Error('no cgroup hierarchy is mounted: mount cgroup2 on /sys/fs/cgroup');
    }
  }

  async create(group: string): Promise<void> {
    for (const root of this.#hierarchies) await mkdir(`${root}/${group}`, { recursive: true });
  }

  /** Files to which a process writes `0` to move itself into the group. */
  joinFiles(group: string): readonly string[] {
    return this.#hierarchies.map((root) => `${root}/${group}/cgroup.procs`);
  }

  /** Processes in the group and below it. */
  processes(group: string): readonly number[] {
    const found = new Set<number>();
    for (const root of this.#hierarchies) collectProcesses(`${root}/${group}`, found);
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
    for (const root of this.#hierarchies) {
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
    return this.#hierarchies.every((root) => removeTree(`${root}/${group}`));
  }
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
