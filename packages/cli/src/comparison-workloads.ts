import { setTimeout as delay } from 'node:timers/promises';
import {
  type Mode,
  modeManifests,
  modeNamespace,
  PROXY_CONTAINER,
  runningProcesses,
} from '@aquifer/compare';
import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import { isNotFound } from './api-errors.ts';
import type { Cluster } from './cluster.ts';
import { CliError } from './errors.ts';

const REDIRECTION = 'ambient.istio.io/redirection';
const GATEWAY_NAME = 'gateway.networking.k8s.io/gateway-name';
const MESH_NAMESPACE = 'istio-system';
/** Reasons of a waiting container that waiting longer does not change. */
const HOPELESS = ['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName'];
const READY_TIMEOUT_MS = 60_000;
const REMOVAL_TIMEOUT_MS = 60_000;
const POLL_MS = 250;

export interface WorkloadOptions {
  readonly pods: number;
  readonly trustDomain: string;
  readonly signal: AbortSignal;
}

/** The workloads of one mode, in a namespace of their own. */
export class ModeWorkloads {
  readonly mode: Mode;
  readonly #cluster: Cluster;
  readonly #options: WorkloadOptions;

  constructor(mode: Mode, cluster: Cluster, options: WorkloadOptions) {
    this.mode = mode;
    this.#cluster = cluster;
    this.#options = options;
  }

  get namespace(): string {
    return modeNamespace(this.mode);
  }

  async deploy(): Promise<void> {
    const { pods, trustDomain } = this.#options;
    for (const object of modeManifests({ mode: this.mode, pods, trustDomain })) {
      await this.#cluster.apply(object);
    }
  }

  /**
   * Waits until every pod is ready, captured where the mode wants it, and the waypoint runs. Returns null, or why
   * that cannot happen on this machine.
   */
  async untilReady(): Promise<string | null> {
    const deadlineMs = Date.now() + READY_TIMEOUT_MS;
    let missing = 'no pod was created';
    while (Date.now() < deadlineMs) {
      this.#options.signal.throwIfAborted();
      const pods = await this.#pods();
      const hopeless = pods.map(hopelessReason).find((reason) => reason !== null);
      if (hopeless !== undefined) return hopeless;
      const waiting = pods.find((pod) => !this.#isReady(pod));
      const wanted = this.#options.pods + (this.mode === 'waypoint' ? 1 : 0);
      if (waiting === undefined && pods.length >= wanted) return null;
      missing =
        waiting === undefined
          ? `${pods.length} of ${wanted} pods exist`
          : `pod ${waiting.metadata?.name} is not ready`;
      await delay(POLL_MS);
    }
    throw new CliError(
      `the workloads of namespace ${this.namespace} did not become ready: ${missing}`,
      `run again, and meanwhile see: kubectl get pods -n ${this.namespace}; kubectl describe pods -n ${this.namespace}`,
    );
  }

  async clientPod(): Promise<string> {
    const client = (await this.#pods()).find(({ metadata }) => metadata?.labels?.app === 'client');
    if (client === undefined) throw new CliError(`the client of ${this.namespace} is gone`);
    return client.metadata?.name ?? '';
  }

  /** Processes of this machine that are proxies for the mode: sidecars, node proxies, waypoint. */
  async proxyProcesses(): Promise<number[]> {
    if (this.mode === 'none') return [];
    const own = this.mode === 'ambient' ? [] : await this.#pods();
    const { items: nodeProxies } =
      this.mode === 'sidecar'
        ? { items: [] }
        : await this.#cluster.core.listNamespacedPod({
            namespace: MESH_NAMESPACE,
            labelSelector: 'app=ztunnel',
          });
    const containers = [...own, ...nodeProxies].flatMap(proxyContainerIds);
    return runningProcesses()
      .filter(({ cgroup }) => containers.some((id) => cgroup.includes(id)))
      .map(({ pid }) => pid);
  }

  /** Starts removing everything; `untilRemoved` waits for the end. */
  async remove(): Promise<void> {
    await this.#cluster.core.deleteNamespace({ name: this.namespace }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }

  async untilRemoved(): Promise<void> {
    const deadlineMs = Date.now() + REMOVAL_TIMEOUT_MS;
    while (await this.#exists()) {
      if (Date.now() > deadlineMs) {
        throw new CliError(
          `namespace ${this.namespace} is not removed`,
          `see: kubectl get all -n ${this.namespace}`,
        );
      }
      await delay(POLL_MS);
    }
  }

  async #exists(): Promise<boolean> {
    try {
      await this.#cluster.core.readNamespace({ name: this.namespace });
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async #pods(): Promise<V1Pod[]> {
    const { items } = await this.#cluster.core.listNamespacedPod({ namespace: this.namespace });
    return items.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
  }

  #isReady({ metadata, status }: V1Pod): boolean {
    const isReady = status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True');
    const isWaypoint = metadata?.labels?.[GATEWAY_NAME] !== undefined;
    const wantsCapture = (this.mode === 'ambient' || this.mode === 'waypoint') && !isWaypoint;
    const isCaptured = metadata?.annotations?.[REDIRECTION] === 'enabled';
    return (isReady ?? false) && (!wantsCapture || isCaptured);
  }
}

function containerStatuses({ status }: V1Pod): V1ContainerStatus[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
}

function hopelessReason(pod: V1Pod): string | null {
  for (const { state } of containerStatuses(pod)) {
    const { reason, message } = state?.waiting ?? {};
    if (reason !== undefined && HOPELESS.includes(reason)) return message ?? reason;
  }
  return null;
}

/** Ids of the proxies among a pod's containers, without the runtime's prefix; cgroup paths end in them. */
function proxyContainerIds(pod: V1Pod): string[] {
  return containerStatuses(pod).flatMap(({ name, containerID }) =>
    name === PROXY_CONTAINER && containerID !== undefined
      ? [containerID.slice(containerID.lastIndexOf('/') + 1)]
      : [],
  );
}
