import { quantityValue } from '@aquifer/model/kubernetes';
import { GATEWAY_NAME, REDIRECTION } from '../mesh-labels.ts';
import type { ClusterSize } from './cost-model.ts';

/** What was read of a cluster: objects as the API has them, as far as they matter here. */
export interface ClusterObjects {
  readonly nodes: number;
  readonly pods: readonly ClusterPod[];
  /** Policies and routes of Istio and of Gateway API. */
  readonly rules: readonly ClusterRule[];
  /** What containers use now, by `NAMESPACE/POD/CONTAINER`; null without a metrics API. */
  readonly usage: ReadonlyMap<string, Resources> | null;
}

/** Quantities as Kubernetes writes them, such as `100m` and `128Mi`. */
interface Resources {
  readonly cpu?: string;
  readonly memory?: string;
}

export interface ClusterPod {
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: {
    readonly hostNetwork?: boolean;
    readonly containers?: readonly ClusterContainer[];
    readonly initContainers?: readonly ClusterContainer[];
  };
  readonly status?: { readonly phase?: string };
}

interface ClusterContainer {
  readonly name: string;
  readonly resources?: { readonly requests?: Resources; readonly limits?: Resources };
}

export interface ClusterRule {
  readonly kind: string;
  readonly metadata?: { readonly name?: string; readonly namespace?: string };
  readonly spec?: unknown;
}

/** Memory in MiB, processor time in thousandths of a processor. */
export interface Amount {
  readonly memoryMiB: number;
  readonly cpuMillis: number;
}

export interface NamespaceFacts {
  readonly namespace: string;
  /** Running pods that a mesh could carry. */
  readonly pods: number;
  readonly sidecars: number;
  readonly captured: number;
  readonly applications: Needs;
  readonly sidecarNeeds: Needs;
  /** Objects that only a sidecar or a waypoint can carry out, `KIND NAME`. */
  readonly needsL7: readonly string[];
}

export interface Needs {
  readonly requests: Amount;
  readonly limits: Amount;
  /** Null without a metrics API. */
  readonly usage: Amount | null;
}

/** Name of Istio's sidecar, wherever it was injected. */
const SIDECAR = 'istio-proxy';
/** Namespaces of the cluster and of the mesh itself. */
const NOT_WORKLOADS = /^(kube-.*|istio-system)$/;

/** What the namespaces with workloads run and ask for, in order of their names. */
export function namespaceFacts(objects: ClusterObjects): NamespaceFacts[] {
  const running = objects.pods.filter(
    ({ metadata, spec, status }) =>
      status?.phase === 'Running' &&
      spec?.hostNetwork !== true &&
      metadata?.labels?.[GATEWAY_NAME] === undefined &&
      !NOT_WORKLOADS.test(metadata?.namespace ?? ''),
  );
  const byNamespace = Map.groupBy(running, ({ metadata }) => metadata?.namespace ?? '');
  return [...byNamespace]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([namespace, pods]) => {
      const isSidecar = ({ name }: ClusterContainer): boolean => name === SIDECAR;
      return {
        namespace,
        pods: pods.length,
        sidecars: pods.filter((pod) => containersOf(pod).some(isSidecar)).length,
        captured: pods.filter(({ metadata }) => metadata?.annotations?.[REDIRECTION] === 'enabled')
          .length,
        applications: needsOf(pods, (container) => !isSidecar(container), objects.usage),
        sidecarNeeds: needsOf(pods, isSidecar, objects.usage),
        needsL7: objects.rules
          .filter((rule) => rule.metadata?.namespace === namespace && isL7(rule))
          .map(({ kind, metadata }) => `${kind} ${metadata?.name ?? ''}`),
      };
    });
}

/** The size of the cluster for the model: a waypoint for each namespace that needs HTTP. */
export function clusterSize(
  nodes: number,
  facts: readonly NamespaceFacts[],
  rps: number,
): ClusterSize {
  const pods = facts.reduce((sum, namespace) => sum + namespace.pods, 0);
  const waypoints = facts.filter(({ needsL7 }) => needsL7.length > 0).length;
  return { nodes, podsPerNode: pods / Math.max(1, nodes), rps, waypoints };
}

/** Istio injects its proxy as a container, or as an init container that goes on. */
function containersOf({ spec }: ClusterPod): ClusterContainer[] {
  const { containers = [], initContainers = [] } = spec ?? {};
  return [...containers, ...initContainers.filter(({ name }) => name === SIDECAR)];
}

function needsOf(
  pods: readonly ClusterPod[],
  isWanted: (container: ClusterContainer) => boolean,
  usage: ClusterObjects['usage'],
): Needs {
  const all = pods.flatMap((pod) =>
    containersOf(pod)
      .filter(isWanted)
      .map((container) => ({ pod, container })),
  );
  return {
    requests: total(all.map(({ container }) => container.resources?.requests)),
    limits: total(all.map(({ container }) => container.resources?.limits)),
    usage:
      usage === null
        ? null
        : total(
            all.map(({ pod: { metadata }, container }) =>
              usage.get(`${metadata?.namespace}/${metadata?.name}/${container.name}`),
            ),
          ),
  };
}

function total(resources: readonly (Resources | undefined)[]): Amount {
  let memoryMiB = 0;
  let cpuMillis = 0;
  for (const { cpu = '0', memory = '0' } of resources.filter((one) => one !== undefined)) {
    memoryMiB += quantityValue(memory) / 2 ** 20;
    cpuMillis += quantityValue(cpu) * 1000;
  }
  return { memoryMiB, cpuMillis };
}

interface PolicySpec {
  readonly rules?: readonly {
    readonly from?: readonly { readonly source?: object }[];
    readonly to?: readonly { readonly operation?: object }[];
    readonly when?: readonly { readonly key?: string }[];
  }[];
}

/** Whether only a proxy that reads HTTP can carry an object out. */
export function isL7({ kind, spec }: ClusterRule): boolean {
  if (kind !== 'AuthorizationPolicy') return true;
  const ofHttp = /^(?:not)?(?:methods|paths|hosts|requestPrincipals)$/i;
  const has = (object: object = {}): boolean => Object.keys(object).some((key) => ofHttp.test(key));
  return (
    ((spec ?? {}) as PolicySpec).rules?.some(
      ({ from = [], to = [], when = [] }) =>
        from.some(({ source }) => has(source)) ||
        to.some(({ operation }) => has(operation)) ||
        when.some(({ key = '' }) => key.startsWith('request.')),
    ) === true
  );
}
