import { statSync } from 'node:fs';
import type { Sandbox } from '../nri/nri-plugin.ts';
import type { ScannedNamespace } from './node-scan.ts';

/** Where pods are according to the container runtime, which knows it before a process of theirs runs. */
export class AnnouncedSandboxes {
  readonly #byUid = new Map<string, Sandbox>();

  add(sandbox: Sandbox): void {
    if (sandbox.networkPath !== null) this.#byUid.set(sandbox.uid, sandbox);
  }

  /** The pod may have another sandbox by now, which stays. */
  remove({ id, uid }: Pick<Sandbox, 'id' | 'uid'>): void {
    if (this.#byUid.get(uid)?.id === id) this.#byUid.delete(uid);
  }

  addressesOf(uid: string): readonly string[] {
    return this.#byUid.get(uid)?.addresses ?? [];
  }

  /** The namespaces of the node, completed by what was announced. Sandboxes that are gone are forgotten. */
  addTo(scanned: readonly ScannedNamespace[]): ScannedNamespace[] {
    const all = new Map(scanned.map((namespace) => [namespace.inode, namespace]));
    for (const [uid, { networkPath, addresses }] of this.#byUid) {
      const inode = inodeOf(networkPath!);
      if (inode === null) {
        this.#byUid.delete(uid);
        continue;
      }
      const found = all.get(inode) ?? { inode, path: networkPath!, pods: [], addresses: NONE };
      all.set(inode, {
        ...found,
        pods: [...found.pods, { cgroupId: uid, since: 0, isAnnounced: true }],
        addresses: new Set([...found.addresses, ...addresses]),
      });
    }
    return [...all.values()];
  }
}

const NONE: ReadonlySet<string> = new Set();

function inodeOf(path: string): number | null {
  try {
    return statSync(path).ino;
  } catch {
    return null;
  }
}
