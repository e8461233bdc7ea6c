import {
  type ApiObject,
  ApiStatusError,
  type ClusterClient,
  type ResourceKey,
  type WatchEvent,
} from '@aquifer/kube-api';
import type { NodeHost } from './node-host.ts';
import { heartbeat, registerNode } from './node-object.ts';
import { asNodePod, type NodePod } from './node-pod.ts';
import type { PodSandboxDeps } from './pod-sandbox.ts';
import { PodWorker } from './pod-worker.ts';

const PODS: ResourceKey = { group: '', version: 'v1', plural: 'pods' };
const HEARTBEAT_MS = 30_000;
/** A status that others overwrite all the time is given up after this many conflicts; the next change tries again. */
const MAX_STATUS_CONFLICTS = 10;

export interface KubeletDeps {
  readonly client: ClusterClient;
  readonly host: NodeHost;
  readonly sandboxes: PodSandboxDeps;
  /** The addresses of pods on this node have changed. */
  readonly onPodAddresses: () => void;
  /** For what nobody waits for: a failure that the node survives. */
  readonly onError: (error: Error) => void;
}

/** Runs the pods that the scheduler gave to one node. */
export class Kubelet {
  readonly #deps: KubeletDeps;
  readonly #workers = new Map<string, PodWorker>();
  readonly #ending = new Map<string, Promise<void>>();
  /** Workers whose status is being written; true when it has changed since. */
  readonly #reporting = new Map<PodWorker, boolean>();
  #watch: Disposable | null = null;
  #heartbeat: NodeJS.Timeout | null = null;
  #isStopping = false;

  constructor(deps: KubeletDeps) {
    this.#deps = deps;
  }

  /** Registers the node and begins to run its pods. */
  async start(): Promise<void> {
    const { client, host } = this.#deps;
    await registerNode(client, host.node, host.capacity);
    this.#heartbeat = setInterval(() => {
      heartbeat(client, host.node, host.capacity).catch(this.#deps.onError);
    }, HEARTBEAT_MS).unref();
    this.#watch = client.watch(PODS, (event) => this.#onEvent(event), {
      fieldSelector: `spec.nodeName=${host.node.name}`,
    });
  }

  /** Ends every pod at once, without a trace in the API: the machine is being tidied up. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#watch?.[Symbol.dispose]();
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat);
    await Promise.all([...this.#workers.values()].map((worker) => worker.end(0)));
    await Promise.all(this.#ending.values());
    await this.#deps.host.prober.stop();
  }

  /** The worker of a pod on this node, or null. */
  worker(namespace: string, name: string): PodWorker | null {
    for (const worker of this.#workers.values()) {
      const { metadata } = worker.pod;
      if (metadata.name === name && metadata.namespace === namespace) return worker;
    }
    return null;
  }

  /** Addresses of the pods on this node that have a namespace of their own. */
  podAddresses(): readonly string[] {
    return [...this.#workers.values()].flatMap(({ sandbox }) =>
      sandbox?.ownsAddress === true ? [sandbox.address] : [],
    );
  }

  #onEvent(event: WatchEvent): void {
    if (event.type === 'synced' || this.#isStopping) return;
    const pod = asNodePod(event.object);
    const worker = this.#workers.get(pod.metadata.uid);
    if (event.type === 'deleted') {
      if (worker !== undefined) this.#end(worker, 0);
    } else if (worker !== undefined) {
      worker.update(pod);
      if (isDeleted(pod)) this.#end(worker, graceMs(pod));
    } else {
      this.#begin(pod);
    }
  }

  #begin(pod: NodePod): void {
    const { uid } = pod.metadata;
    if (this.#ending.has(uid)) return;
    if (isDeleted(pod)) return void this.#remove(pod);
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return;
    const worker = new PodWorker(pod, {
      host: this.#deps.host,
      sandboxes: this.#deps.sandboxes,
      onChange: (changed) => this.#report(changed),
    });
    this.#workers.set(uid, worker);
    worker.start();
  }

  #end(worker: PodWorker, grace: number): void {
    const { uid } = worker.pod.metadata;
    if (this.#ending.has(uid)) return;
    const ended = this.#endPod(worker, grace)
      .catch(this.#deps.onError)
      .finally(() => {
        this.#workers.delete(uid);
        this.#ending.delete(uid);
        this.#deps.onPodAddresses();
      });
    this.#ending.set(uid, ended);
  }

  async #endPod(worker: PodWorker, grace: number): Promise<void> {
    await worker.end(grace);
    await this.#remove(worker.pod);
  }

  /** The last word on a pod: its object goes. */
  async #remove({ metadata }: NodePod): Promise<void> {
    if (this.#isStopping) return;
    const { client } = this.#deps;
    const stored = await client.get(PODS, metadata.name, metadata.namespace);
    if (stored?.metadata.uid !== metadata.uid) return;
    await client
      .delete(
        PODS,
        { name: metadata.name, namespace: metadata.namespace },
        { gracePeriodSeconds: 0 },
      )
      .catch((error: unknown) => {
        if (!isStatus(error, 404)) throw error;
      });
  }

  /** Writes the worker's status; changes that come meanwhile are written together afterwards. */
  #report(worker: PodWorker): void {
    this.#deps.onPodAddresses();
    if (this.#reporting.has(worker)) {
      this.#reporting.set(worker, true);
      return;
    }
    this.#reporting.set(worker, false);
    setImmediate(() => {
      this.#reporting.set(worker, false);
      this.#writeStatus(worker)
        .catch(this.#deps.onError)
        .finally(() => {
          const hasChanged = this.#reporting.get(worker) === true;
          this.#reporting.delete(worker);
          if (hasChanged) this.#report(worker);
        });
    });
  }

  async #writeStatus(worker: PodWorker): Promise<void> {
    const { client } = this.#deps;
    const { name, namespace, uid } = worker.pod.metadata;
    for (let attempt = 0; attempt < MAX_STATUS_CONFLICTS; attempt++) {
      const stored = await client.get(PODS, name, namespace);
      if (stored === null || stored.metadata.uid !== uid || this.#isStopping) return;
      const status = { ...stored.status, ...worker.status(asNodePod(stored)) };
      const updated: ApiObject = { ...stored, status };
      try {
        await client.updateStatus(PODS, updated);
        return;
      } catch (error) {
        if (isStatus(error, 404)) return;
        if (!isStatus(error, 409)) throw error;
      }
    }
  }
}

function isDeleted(pod: NodePod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

function graceMs({ metadata, spec }: NodePod): number {
  const seconds = metadata.deletionGracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30;
  return seconds * 1000;
}

function isStatus(error: unknown, code: number): boolean {
  return error instanceof ApiStatusError && error.code === code;
}
