import { readdir, readFile } from 'node:fs/promises';
import { NetworkNamespace } from '../capture/netns.ts';

/** Where a pod's processes were looked for. Default `/proc`, which must be the host's (hostPID). */
export interface ProcSource {
  readonly procPath: string;
}

/**
 * Finds a pod's network namespace by its uid in the cgroup paths of running processes: `pod<uid>`, or with
 * underscores as systemd's slices have it (spec control-plane 1.4). The oldest process wins. Throws, saying why,
 * while there is none, or if the namespace does not own one of the pod's addresses.
 */
export async function openPodNamespace(
  pod: { readonly uid: string; readonly addresses: readonly string[] },
  { procPath }: ProcSource,
): Promise<NetworkNamespace> {
  const pid = await oldestProcessOf(pod.uid, procPath);
  if (pid === null) throw new Error('no process of the pod is running on this node');
  if (!(await ownsAddress(procPath, pid, pod.addresses))) {
    throw new Error(
      `namespace of process ${pid} has none of the addresses ${pod.addresses.join(', ')}`,
    );
  }
  return NetworkNamespace.open(`${procPath}/${pid}/ns/net`);
}

async function oldestProcessOf(uid: string, procPath: string): Promise<number | null> {
  const markers = [`pod${uid}`, `pod${uid.replaceAll('-', '_')}`];
  let oldest: { pid: number; startTime: number } | null = null;
  for (const entry of await readdir(procPath)) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const cgroups = await readFile(`${procPath}/${pid}/cgroup`, 'utf8').catch(() => '');
    if (!markers.some((marker) => cgroups.includes(marker))) continue;
    const startTime = await startTimeOf(pid, procPath);
    if (startTime !== null && (oldest === null || startTime < oldest.startTime)) {
      oldest = { pid, startTime };
    }
  }
  return oldest?.pid ?? null;
}

/** Field 22 of /proc/<pid>/stat, clock ticks since boot; the command's name before it may hold spaces. */
async function startTimeOf(pid: number, procPath: string): Promise<number | null> {
  const stat = await readFile(`${procPath}/${pid}/stat`, 'utf8').catch(() => null);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields === undefined ? null : Number(fields[19]);
}

/** A host-network process, or one that is still being set up, has none of them. */
async function ownsAddress(
  procPath: string,
  pid: number,
  addresses: readonly string[],
): Promise<boolean> {
  const trie = await readFile(`${procPath}/${pid}/net/fib_trie`, 'utf8').catch(() => '');
  const inet6 = await readFile(`${procPath}/${pid}/net/if_inet6`, 'utf8').catch(() => '');
  return addresses.some((ip) =>
    ip.includes(':') ? inet6.includes(expandedV6(ip)) : trie.includes(`-- ${ip}\n`),
  );
}

/** /proc writes IPv6 addresses as 32 hex digits. */
function expandedV6(ip: string): string {
  const [head = '', tail = ''] = ip.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const zeros = ip.includes('::')
    ? new Array<string>(8 - left.length - right.length).fill('0')
    : [];
  return [...left, ...zeros, ...right].map((group) => group.padStart(4, '0')).join('');
}
