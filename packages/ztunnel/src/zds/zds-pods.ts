import type { Logger } from '@aquifer/runtime';
import type { NetworkNamespace } from '../capture/netns.ts';
import type { DataPlane } from '../data-plane/data-plane.ts';
import type { PodInfo } from './zds-messages.ts';

/** A pod whose proxy runs, or could not be started yet. */
interface Pod {
  readonly uid: string;
  readonly info: PodInfo;
  readonly namespace: NetworkNamespace;
  state: 'up' | 'pending';
}

/** The node agent broke the order of its messages. */
export class ZdsOrderError extends Error {}

export interface ZdsPodsOptions {
  readonly dataPlane: Pick<DataPlane, 'startPod' | 'stopPod'>;
  /** Whether the pods' queries are answered by the proxy. */
  readonly captureDns: boolean;
  readonly log: Logger;
}

/** What an operator may want to count (spec ztunnel 9.1). */
export interface ZdsCounts {
  readonly active: number;
  readonly pending: number;
  readonly started: number;
  readonly stopped: number;
}

/**
 * The pods that the node agent has handed over (spec ztunnel 7.3). Calls come one after the other. A new connection of the
 * agent begins a snapshot: pods that it does not name again until `snapshotSent` are gone, and run until then.
 */
export class ZdsPods {
  readonly #options: ZdsPodsOptions;
  readonly #pods = new Map<string, Pod>();
  /** Uids of the snapshot that is being sent; null once it is complete. */
  #snapshot: Set<string> | null = new Set();
  #started = 0;
  #stopped = 0;

  constructor(options: ZdsPodsOptions) {
    this.#options = options;
  }

  /** All pods of a complete snapshot run. */
  get isSettled(): boolean {
    return this.#snapshot === null && this.counts().pending === 0;
  }

  counts(): ZdsCounts {
    let active = 0;
    for (const { state } of this.#pods.values()) if (state === 'up') active += 1;
    const pending = this.#pods.size - active;
    return { active, pending, started: this.#started, stopped: this.#stopped };
  }

  /** For the config dump. */
  states(): Iterable<Readonly<Pod>> {
    return this.#pods.values();
  }

  beginSnapshot(): void {
    this.#snapshot = new Set();
    for (const { uid, state } of this.#pods.values()) if (state === 'pending') this.#forget(uid);
  }

  /** Owns the namespace from here on. Throws if the proxy cannot be started: it is tried again. */
  async add(uid: string, info: PodInfo, namespace: NetworkNamespace): Promise<void> {
    this.#snapshot?.add(uid);
    const before = this.#pods.get(uid);
    if (before?.state === 'up' && isSameNamespace(before.namespace, namespace)) {
      namespace.close();
      return;
    }
    await this.#remove(uid);
    const pod: Pod = { uid, info, namespace, state: 'pending' };
    this.#pods.set(uid, pod);
    await this.#start(pod);
  }

  keep(uid: string): void {
    if (this.#snapshot === null) throw new ZdsOrderError('a pod was kept after the snapshot');
    this.#snapshot.add(uid);
  }

  /** While a snapshot is being sent, a proxy that runs goes with its end. */
  async del(uid: string): Promise<void> {
    const isPending = this.#pods.get(uid)?.state === 'pending';
    this.#snapshot?.delete(uid);
    if (this.#snapshot === null || isPending) await this.#remove(uid);
  }

  async snapshotSent(): Promise<void> {
    const named = this.#snapshot;
    if (named === null) throw new ZdsOrderError('the snapshot ended twice');
    this.#snapshot = null;
    for (const uid of [...this.#pods.keys()]) if (!named.has(uid)) await this.#remove(uid);
  }

  /** Tries again what could not be started. */
  async retry(): Promise<void> {
    for (const pod of [...this.#pods.values()]) {
      if (pod.state === 'up') continue;
      await this.#start(pod).catch((error: unknown) => {
        this.#options.log.warn('pod is not served yet', {
          uid: pod.uid,
          name: pod.info.name,
          namespace: pod.info.namespace,
          error: (error as Error).message,
        });
      });
    }
  }

  async #start(pod: Pod): Promise<void> {
    const { uid, info, namespace } = pod;
    const { name, namespace: podNamespace, serviceAccount } = info;
    const { dataPlane, captureDns } = this.#options;
    await dataPlane.startPod(
      { uid, name, namespace: podNamespace, serviceAccount, captureDns },
      namespace.fd,
    );
    pod.state = 'up';
    this.#started += 1;
    this.#options.log.info('pod is served', { uid, name, namespace: podNamespace });
  }

  async #remove(uid: string): Promise<void> {
    const pod = this.#pods.get(uid);
    if (pod?.state === 'up') {
      await this.#options.dataPlane.stopPod(uid);
      this.#stopped += 1;
      this.#options.log.info('pod is served no more', { uid, name: pod.info.name });
    }
    this.#forget(uid);
  }

  #forget(uid: string): void {
    this.#pods.get(uid)?.namespace.close();
    this.#pods.delete(uid);
  }
}

function isSameNamespace(a: NetworkNamespace, b: NetworkNamespace): boolean {
  return a.inode === b.inode && a.device === b.device;
}
