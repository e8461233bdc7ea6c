import { readFileSync } from 'node:fs';

/** Ticks per second of the times in /proc/<pid>/stat: USER_HZ, 100 on every Linux port of Node (proc(5)). */
const TICKS_PER_SECOND = 100;

/** Fields of /proc/<pid>/stat after the command name, which may itself hold blanks and parentheses (proc(5)). */
const UTIME = 11;
const STIME = 12;

/** Processor time that living processes have used so far, user and system, all threads, in seconds. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readProcess(pid, 'stat');
    if (stat === null) continue;
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[UTIME]) + Number(fields[STIME]);
  }
  return ticks / TICKS_PER_SECOND;
}

/**
 * Memory of processes in KiB, as proportional set size: a page that several processes share counts for each by its
 * part, so that the sum is what the machine has given away.
 */
export function memoryKiB(pids: readonly number[]): number {
  let total = 0;
  for (const pid of pids) {
    total += Number(readProcess(pid, 'smaps_rollup')?.match(/^Pss:\s+(\d+) kB/m)?.[1] ?? 0);
  }
  return total;
}

/** Null if the process is gone, which may happen at any moment. */
function readProcess(pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return null;
  }
}
