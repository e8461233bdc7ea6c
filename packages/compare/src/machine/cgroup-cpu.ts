import { readdirSync, readFileSync } from 'node:fs';

/**
 * Processor time of containers, in microseconds, as the kernel counts it for their cgroups: threads and children that
 * have ended are included.
 */
export class CgroupCpu {
  readonly #roots: readonly string[];

  /** `mountInfo` is the text of /proc/self/mountinfo. Throws if no hierarchy counts processor time. */
  constructor(mountInfo: string) {
    this.#roots = cpuHierarchies(mountInfo);
    if (this.#roots.length === 0) {
      throw new Error(
        'no cgroup hierarchy counts processor time: mount cgroup2 (or cgroup v1 cpuacct) below /sys/fs/cgroup',
      );
    }
  }

  /** Directories of the cgroups whose names hold one of these container ids; those that are not found are missing. */
  directories(containerIds: readonly string[]): Map<string, string> {
    const found = new Map<string, string>();
    const wanted = new Set(containerIds);
    const visit = (directory: string): void => {
      for (const entry of readdirSync(directory, { withFileTypes: true })) {
        if (!entry.isDirectory() || wanted.size === 0) continue;
        const path = `${directory}/${entry.name}`;
        const id = [...wanted].find((candidate) => entry.name.includes(candidate));
        if (id === undefined) visit(path);
        else {
          found.set(id, path);
          wanted.delete(id);
        }
      }
    };
    for (const root of this.#roots) {
      for (const top of topDirectories(root)) visit(top);
    }
    return found;
  }

  /** Microseconds that all pods of this machine have used, those of other modes included. */
  podsMicros(): number {
    const sums = this.#roots.map((root) =>
      topDirectories(root).reduce((sum, top) => sum + (cgroupCpuMicros(top) ?? 0), 0),
    );
    // Each hierarchy counts the same work, or none.
    return Math.max(...sums);
  }
}

/** Mount points of the hierarchies that count processor time: the unified one, then v1's `cpuacct`. */
function cpuHierarchies(mountInfo: string): string[] {
  const unified: string[] = [];
  const accounting: string[] = [];
  for (const line of mountInfo.split('\n')) {
    const [mount, filesystem] = line.split(' - ');
    const path = mount?.split(' ')[4];
    if (path === undefined || filesystem === undefined) continue;
    const [type, , options] = filesystem.split(' ');
    if (type === 'cgroup2') unified.push(path);
    if (type === 'cgroup' && options?.split(',').includes('cpuacct')) accounting.push(path);
  }
  return [...new Set([...unified, ...accounting])];
}

/** Where pods are: others need not be walked. */
function topDirectories(root: string): string[] {
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && /aquifer|kubepods|kubelet/.test(entry.name))
    .map((entry) => `${root}/${entry.name}`);
}

/** Microseconds that a cgroup and those below it have used; null if it is gone. */
export function cgroupCpuMicros(directory: string): number | null {
  const stat = readIfThere(`${directory}/cpu.stat`);
  const usage = stat?.match(/^usage_usec (\d+)$/m)?.[1];
  if (usage !== undefined) return Number(usage);
  const nanoseconds = readIfThere(`${directory}/cpuacct.usage`);
  return nanoseconds === null ? null : Number(nanoseconds) / 1000;
}

/** Processes of a cgroup, not of those below it; none if it is gone. */
export function cgroupProcesses(directory: string): number[] {
  const text = readIfThere(`${directory}/cgroup.procs`) ?? '';
  return text.split('\n').filter(Boolean).map(Number);
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
