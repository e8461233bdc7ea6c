import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { formatIpAddress } from '@aquifer/model';

/** Processes of one pod in a network namespace. */
export interface PodProcesses {
  /** The name of the pod's cgroup: its uid, or the hash of a static pod's file. */
  readonly cgroupId: string;
  /** When the oldest of them started, in clock ticks since boot. */
  readonly since: number;
  /** The container runtime says so, of which there is no doubt. */
  readonly isAnnounced: boolean;
}

/** A network namespace in which something runs. */
export interface ScannedNamespace {
  readonly inode: number;
  /** Opens it, as long as the process lives that it was found by. */
  readonly path: string;
  readonly pods: readonly PodProcesses[];
  /** Its own addresses; empty unless a pod runs in it. */
  readonly addresses: ReadonlySet<string>;
}

interface Found {
  readonly inode: number;
  readonly pid: string;
  readonly pods: Map<string, number>;
}

/** Then others have their turn: a process takes about 20 µs. */
const PROCESSES_AT_A_TIME = 100;

/**
 * Every network namespace of the node, found by the node's processes, and the pods that run in each, found by the names
 * of the processes' cgroups: `pod<uid>`, or with underscores as systemd's slices have it (spec control-plane 1.4).
 * `procPath` must be the host's (hostPID). Read without the thread pool, which would take ten times as long.
 */
export async function scanNode(procPath: string): Promise<ScannedNamespace[]> {
  const found = new Map<number, Found>();
  const pids = readdirSync(procPath).filter((entry) => /^\d+$/.test(entry));
  for (const [position, pid] of pids.entries()) {
    if (position % PROCESSES_AT_A_TIME === PROCESSES_AT_A_TIME - 1) await setImmediate();
    const inode = namespaceOf(procPath, pid);
    if (inode === null) continue;
    const namespace = found.get(inode) ?? { inode, pid, pods: new Map() };
    found.set(inode, namespace);
    addProcess(namespace, procPath, pid);
  }
  return [...found.values()].map((each) => describe(each, procPath));
}

function addProcess({ pods }: Found, procPath: string, pid: string): void {
  for (const id of podIdsIn(read(`${procPath}/${pid}/cgroup`))) {
    const startTime = startTimeOf(procPath, pid);
    if (startTime !== null) pods.set(id, Math.min(pods.get(id) ?? Infinity, startTime));
  }
}

/** Empty if the process has just ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The first of each line: the groups below a pod's own are named by whoever runs in it. */
function podIdsIn(cgroup: string): Set<string> {
  const ids = cgroup.split('\n').map((line) => /[/-]pod([\w-]+)/.exec(line)?.[1]);
  return new Set(ids.filter((id) => id !== undefined).map((id) => id.replaceAll('_', '-')));
}

function describe({ inode, pid, pods }: Found, procPath: string): ScannedNamespace {
  return {
    inode,
    path: `${procPath}/${pid}/ns/net`,
    pods: [...pods].map(([cgroupId, since]) => ({ cgroupId, since, isAnnounced: false })),
    addresses: pods.size === 0 ? new Set() : addressesOf(procPath, pid),
  };
}

function namespaceOf(procPath: string, pid: string): number | null {
  try {
    const inode = /^net:\[(\d+)\]$/.exec(readlinkSync(`${procPath}/${pid}/ns/net`))?.[1];
    return inode === undefined ? null : Number(inode);
  } catch {
    return null;
  }
}

/** Field 22 of /proc/<pid>/stat; the command's name before it may hold spaces. */
function startTimeOf(procPath: string, pid: string): number | null {
  const stat = read(`${procPath}/${pid}/stat`);
  const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  return startTime === undefined ? null : Number(startTime);
}

/** The routes that the kernel made for the namespace's own addresses, and its list of IPv6 addresses. */
function addressesOf(procPath: string, pid: string): ReadonlySet<string> {
  const trie = read(`${procPath}/${pid}/net/fib_trie`);
  const inet6 = read(`${procPath}/${pid}/net/if_inet6`);
  const v4 = [...trie.matchAll(/-- ([\d.]+)\n\s+\/32 host LOCAL/g)].map(([, ip]) => ip!);
  const v6 = [...inet6.matchAll(/^[0-9a-f]{32}/gm)].map(([hex]) =>
    formatIpAddress(Buffer.from(hex, 'hex')),
  );
  return new Set([...v4, ...v6.filter((ip) => ip !== null)]);
}
