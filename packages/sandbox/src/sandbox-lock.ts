/**
 * One sandbox at a time: networks and cgroups have fixed names, so that people can use them. The lock is a file in
 * /run that says whose they are, and where the data of one that crashed lies.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { SandboxError } from './errors.ts';

const LOCK_FILE = '/run/aquifer-sandbox.json';

/** Who holds the lock. */
export interface SandboxLock {
  readonly pid: number;
  /** Start time in clock ticks since boot: tells the holder from a later process with its pid. */
  readonly startTicks: string;
  readonly dataDirectory: string;
  readonly keepData: boolean;
  /** Null unless pods may leave the machine; `stopsForwarding` where it forwarded nothing before. */
  readonly egress: { readonly stopsForwarding: boolean } | null;
  /** Of `TOOL_DIRECTORIES`, those that the sandbox's tools were the first to make. */
  readonly madeDirectories: readonly string[];
}

/** What ip(8) and mount(8) make when they first need it, and never remove: a shared mount and a list of mounts. */
const TOOL_DIRECTORIES = ['/run/netns', '/run/mount'];

/** The lock as it is, also one of a process that no longer lives; null if there is none. */
export function readLock(): SandboxLock | null {
  try {
    return JSON.parse(readFileSync(LOCK_FILE, 'utf8')) as SandboxLock;
  } catch {
    return null;
  }
}

function isAlive({ pid, startTicks }: SandboxLock): boolean {
  return processStartTicks(pid) === startTicks;
}

/** Throws `SandboxError` SB_ALREADY_RUNNING if another sandbox is alive. */
export function refuseSecondSandbox(): void {
  const holder = readLock();
  if (holder === null || !isAlive(holder)) return;
  throw new SandboxError(
    'SB_ALREADY_RUNNING',
    `a sandbox is running already: process ${holder.pid}, data in ${holder.dataDirectory}; stop it first (aquifer sandbox down, or kill ${holder.pid})`,
  );
}

/** To be called before anything is made. */
export function takeLock(
  options: Pick<SandboxLock, 'dataDirectory' | 'keepData' | 'egress'>,
): SandboxLock {
  const { pid } = process;
  const lock: SandboxLock = {
    pid,
    startTicks: processStartTicks(pid) ?? '',
    ...options,
    madeDirectories: TOOL_DIRECTORIES.filter((directory) => !existsSync(directory)),
  };
  writeFileSync(LOCK_FILE, JSON.stringify(lock));
  return lock;
}

export function dropLock(): void {
  rmSync(LOCK_FILE, { force: true });
}

/** Null when there is no such process, or only its remains. */
function processStartTicks(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program's name may hold spaces and parentheses; the fields after it are plain (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}
