import { readFileSync, readlinkSync } from 'node:fs';

/** Memory of programs, in KiB. */
export interface ProgramMemory {
  /** What no other process has: heaps, stacks, buffers. */
  readonly privateKiB: number;
  /** Pages of files: the program and its libraries. Counted once for each node and program, however many processes map them. */
  readonly fileKiB: number;
}

/** A process, and the node that it is on: programs of different nodes share nothing, though the sandbox's nodes are one machine. */
export interface NodeProcess {
  readonly pid: number;
  readonly node: string;
}

/** What these processes would use on nodes that run nothing else. Processes that are gone count nothing. */
export function programMemory(processes: readonly NodeProcess[]): ProgramMemory {
  let privateKiB = 0;
  const files = new Map<string, number>();
  for (const { pid, node } of processes) {
    const usage = processMemory(pid);
    if (usage === null) continue;
    privateKiB += usage.privateKiB;
    const program = `${node} ${usage.program}`;
    files.set(program, Math.max(files.get(program) ?? 0, usage.fileKiB));
  }
  return { privateKiB, fileKiB: [...files.values()].reduce((sum, kib) => sum + kib, 0) };
}

function processMemory(pid: number): (ProgramMemory & { readonly program: string }) | null {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const kib = (field: string): number =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0);
    const privateKiB = kib('Anonymous');
    return {
      privateKiB,
      fileKiB: Math.max(0, kib('Rss') - privateKiB),
      program: readlinkSync(`/proc/${pid}/exe`),
    };
  } catch {
    return null;
  }
}
