import { readFileSync, writeFileSync } from 'node:fs';
import type { NetworkNamespace } from './netns.ts';

interface Setting {
  readonly path: string;
  readonly captured: string;
  /** The kernel's own default, for a namespace of which is not known what it had. */
  readonly usual: string;
}

/** Settings of the namespace's kernel that differ while it is captured. */
const SETTINGS: readonly Setting[] = [
  // Callers that wait to be accepted move to the other listeners of their port when one closes: to those of the proxy
  // that takes over. Otherwise they are reset.
  { path: 'ipv4/tcp_migrate_req', captured: '1', usual: '0' },
  // Connections older than the capture stay unknown. Otherwise their last packets leave entries behind in which later
  // connections of the proxy, from the same address and port, get lost.
  { path: 'netfilter/nf_conntrack_tcp_loose', captured: '0', usual: '1' },
];

/**
 * A container's own /proc/sys is usually read-only, the host's is not; both show the calling thread's namespace.
 */
const SYSCTL_ROOTS = ['/proc/sys/net', '/proc/1/root/proc/sys/net'];

/**
 * The namespace's settings as text, for `restoreSettings`. If all are as a capture sets them, they are left over from one
 * whose rules were flushed, or that was cut short before it wrote any: what was before it is not known.
 */
export function readSettings(namespace: NetworkNamespace): string {
  const values = namespace.run(() => SETTINGS.map(({ path }) => read(path)));
  const isLeftOver = SETTINGS.every(({ captured }, at) => values[at] === captured);
  return SETTINGS.map(({ path, usual }, at) => `${path}=${isLeftOver ? usual : values[at]}`).join(
    ' ',
  );
}

/** Never fails: without the settings capture works, but for the few connections named above. */
export function applyCaptureSettings(namespace: NetworkNamespace): void {
  namespace.run(() => {
    for (const { path, captured } of SETTINGS) write(path, captured);
  });
}

/** Sets everything back to what `readSettings` said. */
export function restoreSettings(namespace: NetworkNamespace, saved: string): void {
  const values = new Map<string, string>();
  for (const pair of saved.split(' ')) {
    const [path = '', value = ''] = pair.split('=');
    if (value !== '') values.set(path, value);
  }
  namespace.run(() => {
    for (const { path, usual } of SETTINGS) write(path, values.get(path) ?? usual);
  });
}

function read(path: string): string {
  try {
    return readFileSync(`${SYSCTL_ROOTS[0]}/${path}`, 'utf8').trim();
  } catch {
    return '';
  }
}

function write(path: string, value: string): void {
  for (const root of SYSCTL_ROOTS) {
    try {
      writeFileSync(`${root}/${path}`, value, { flag: 'r+' });
      return;
    } catch {
      // The other may be writable; an old kernel has neither.
    }
  }
}
