import { setTimeout as delay } from 'node:timers/promises';
import { GATEWAY_NAME, REDIRECTION } from '../mesh-labels.ts';
import { type Mode, modeNamespace } from '../modes.ts';
import { CLIENT_LABELS, modeManifests, podManifests } from '../workload/manifests.ts';
import { PROXY_CONTAINER } from '../workload/sidecar.ts';
import type { Workload } from '../workload/workload.ts';
import {
  type ComparisonCluster,
  ComparisonError,
  containerStatuses,
  type Pod,
  type PodName,
} from './cluster.ts';

const MESH_NAMESPACE = 'istio-system';
/** Reasons of a waiting container that waiting longer does not change. */
const HOPELESS = ['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName'];
/** Pods that are started at once: more only wait for the processors. */
const WAVE = 8;
/** For so long nothing may get better while pods are waited for. */
const STANDSTILL_MS = 60_000;
const REMOVAL_TIMEOUT_MS = 300_000;
const POLL_MS = 250;

/** Who does the work of a container: three kinds of proxies, the client, and the application. */
export const ROLES = ['sidecar', 'nodeProxy', 'waypoint', 'generator', 'servers'] as const;
export type Role = (typeof ROLES)[number];

/** A container whose use is measured. */
export interface MeasuredContainer {
  readonly role: Role;
  readonly id: string;
  readonly node: string;
}

export interface WorkloadOptions {
  readonly workload: Workload;
  readonly trustDomain: string;
  readonly signal: AbortSignal;
}

/** The workloads of one mode, in a namespace of their own. */
export class ModeWorkloads {
  readonly mode: Mode;
  readonly #cluster: ComparisonCluster;
  readonly #options: WorkloadOptions;
  #isDeployed = false;
  #pods = 0;

  constructor(mode: Mode, cluster: ComparisonCluster, options: WorkloadOptions) {
    this.mode = mode;
    this.#cluster = cluster;
    this.#options = options;
  }

  get namespace(): string {
    return modeNamespace(this.mode);
  }

  /**
   * Brings the workload to that many pods, a wave at a time, and waits until each is ready, captured where the mode wants
   * it, and the waypoint runs. Returns null, or why that cannot be had on this machine.
   */
  async scaleTo(pods: number): Promise<string | null> {
    while (this.#pods < pods) {
      this.#pods = Math.min(pods, Math.max(this.#pods, 2) + (this.#isDeployed ? WAVE : WAVE - 2));
      const { workload, trustDomain } = this.#options;
      const options = { mode: this.mode, workload, trustDomain, pods: this.#pods };
      const manifests = this.#isDeployed ? podManifests(options) : modeManifests(options);
      for (const object of manifests) await this.#cluster.apply(object);
      this.#isDeployed = true;
      const reason = await this.#untilReady();
      if (reason !== null) return reason;
    }
    return null;
  }

  /** As long as it gets better: the deadline moves with each pod that becomes ready. */
  async #untilReady(): Promise<string | null> {
    const wanted = this.#pods + (this.mode === 'waypoint' ? 1 : 0);
    let most = -1;
    let deadlineMs = 0;
    for (;;) {
      this.#options.signal.throwIfAborted();
      const pods = await this.#own();
      const hopeless = pods.map(hopelessReason).find((reason) => reason !== null);
      if (hopeless !== undefined) return hopeless;
      const ready = pods.filter((pod) => this.#isReady(pod)).length;
      if (ready >= wanted && pods.length === ready) return null;
      if (ready > most) {
        most = ready;
        deadlineMs = Date.now() + STANDSTILL_MS;
      }
      if (Date.now() > deadlineMs) {
        return `for ${STANDSTILL_MS / 1000} s no more than ${most} of ${wanted} pods were ready (kubectl get pods -n ${this.namespace})`;
      }
      await delay(POLL_MS);
    }
  }

  async clientPod(): Promise<PodName> {
    const client = (await this.#own()).find(isClient);
    const name = client?.metadata?.name;
    if (name === undefined) {
      throw new ComparisonError(
        `the client of ${this.namespace} is gone`,
        'run again, and leave the namespaces aquifer-compare-… alone meanwhile',
      );
    }
    return { namespace: this.namespace, name };
  }

  /** Everything that works for the mode: its own containers and, in ambient modes, all node proxies. */
  async containers(): Promise<MeasuredContainer[]> {
    const own = await this.#own();
    const isAmbient = this.mode === 'ambient' || this.mode === 'waypoint';
    const mesh = isAmbient ? await this.#cluster.pods(MESH_NAMESPACE) : [];
    const nodeProxies = mesh.filter(({ metadata }) => metadata?.labels?.app === 'ztunnel');
    return [
      ...own.flatMap((pod) => measured(pod, (name) => roleInPod(pod, name))),
      ...nodeProxies.flatMap((pod) =>
        measured(pod, (name) => (name === PROXY_CONTAINER ? 'nodeProxy' : null)),
      ),
    ];
  }

  /** Starts removing everything; `untilRemoved` waits for the end. */
  async remove(): Promise<void> {
    await this.#cluster.removeNamespace(this.namespace);
  }

  async untilRemoved(): Promise<void> {
    const deadlineMs = Date.now() + REMOVAL_TIMEOUT_MS;
    // A cluster that is busy with removing may answer late.
    const isThere = (): Promise<boolean> =>
      this.#cluster.hasNamespace(this.namespace).catch(() => true);
    while (await isThere()) {
      if (Date.now() > deadlineMs) {
        throw new ComparisonError(
          `namespace ${this.namespace} is not removed`,
          `see: kubectl get all -n ${this.namespace}`,
        );
      }
      await delay(POLL_MS);
    }
  }

  async #own(): Promise<readonly Pod[]> {
    const pods = await this.#cluster.pods(this.namespace);
    return pods.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
  }

  #isReady({ metadata, status }: Pod): boolean {
    const isReady = status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True');
    const isWaypoint = metadata?.labels?.[GATEWAY_NAME] !== undefined;
    const wantsCapture = (this.mode === 'ambient' || this.mode === 'waypoint') && !isWaypoint;
    const isCaptured = metadata?.annotations?.[REDIRECTION] === 'enabled';
    return (isReady ?? false) && (!wantsCapture || isCaptured);
  }
}

function isClient({ metadata }: Pod): boolean {
  return Object.entries(CLIENT_LABELS).every(([key, value]) => metadata?.labels?.[key] === value);
}

function roleInPod(pod: Pod, container: string): Role {
  if (pod.metadata?.labels?.[GATEWAY_NAME] !== undefined) return 'waypoint';
  if (container === PROXY_CONTAINER) return 'sidecar';
  return isClient(pod) ? 'generator' : 'servers';
}

function measured(pod: Pod, roleOf: (container: string) => Role | null): MeasuredContainer[] {
  const node = pod.spec?.nodeName ?? '';
  return (pod.status?.containerStatuses ?? []).flatMap(({ name, containerID }) => {
    const role = roleOf(name);
    if (role === null || containerID === undefined) return [];
    return [{ role, node, id: containerID.slice(containerID.lastIndexOf('/') + 1) }];
  });
}

function hopelessReason(pod: Pod): string | null {
  for (const { state } of containerStatuses(pod)) {
    const { reason, message } = state?.waiting ?? {};
    if (reason !== undefined && HOPELESS.includes(reason)) return message ?? reason;
  }
  return null;
}
