/** What pods become: Workloads, and pods to capture. A namespace in which nothing changed is taken over as a whole. */
import type { Workload } from '@aquifer/model';
import { parseIpAddress } from '@aquifer/model';
import type { Namespace, Pod, Service } from '@aquifer/model/resources';
import { type EnrolledPod, EnrolledPodSchema } from '@aquifer/wire/gen/aquifer/node_pb';
import { create } from '@bufbuild/protobuf';
import type { ClusterState } from '../ingest/cluster-state.ts';
import { podTarget } from './endpoints.ts';
import { type EnrolmentSettings, isEnrolled } from './enrolled-pods.ts';
import {
  BYPASS_INBOUND_ANNOTATION,
  CONFIG_HASH_ANNOTATION,
  DNS_CAPTURE_ANNOTATION,
} from './labels.ts';
import { Memo, type ProblemListener } from './memo.ts';
import { annotationsOf, nameOf, namespaceOf, parseGoBool, refTo } from './object.ts';
import { enrolledPodResource, type Resource, workloadResource } from './resource.ts';
import { deriveWorkload, podAddresses, type WorkloadContext } from './workloads.ts';

/** What all pods of one namespace are derived from; every member keeps its identity while nothing changes. */
export interface NamespaceContext extends Omit<WorkloadContext, 'node' | 'sliceServices'> {
  /** Selector-less Services by the pods that their EndpointSlices name (`podTarget`). */
  readonly sliceServices: ReadonlyMap<string, readonly Service[]>;
}

interface PlacedPod {
  readonly node: string;
  readonly resource: Resource<EnrolledPod>;
}

const NO_SERVICES: readonly Service[] = [];

export class PodResources {
  readonly #onProblem: ProblemListener;
  readonly #workloads: Memo<readonly Resource<Workload>[]>;
  readonly #enrolled: Memo<readonly PlacedPod[]>;
  /** By namespace, then by pod. */
  readonly #workloadOf = new Map<string, Memo<Resource<Workload> | null>>();
  readonly #enrolledOf = new Map<string, Memo<PlacedPod | null>>();

  constructor(onProblem: ProblemListener) {
    this.#onProblem = onProblem;
    this.#workloads = new Memo(onProblem, () => []);
    this.#enrolled = new Memo(onProblem, () => []);
  }

  *workloads(
    state: Pick<ClusterState, 'Pod' | 'Node'>,
    contextOf: (namespace: string) => NamespaceContext,
  ): Iterable<Resource<Workload>> {
    for (const name of state.Pod.namespaces()) {
      const pods = state.Pod.inNamespace(name);
      const context = contextOf(name);
      const { namespace, services, sliceServices, policies, waypoints, network } = context;
      const shared = [namespace, services, policies, waypoints, network];
      const inputs = [pods, state.Node, sliceServices, ...shared];
      yield* this.#workloads.get(name, inputs, () => {
        const memo = memoFor(this.#workloadOf, name, this.#onProblem);
        const derived = pods.map((pod) => {
          const node = state.Node.get('', pod.spec?.nodeName ?? '');
          const { name: podName, uid } = pod.metadata;
          const own = sliceServices.get(podTarget(podName, uid)) ?? NO_SERVICES;
          return memo.get(keyOf(pod), [pod, node, ...own, ...shared], () =>
            workloadOf(pod, { ...context, node, sliceServices: own }),
          );
        });
        memo.sweep();
        return derived.filter((resource) => resource !== null);
      });
    }
    this.#workloads.sweep();
    forget(this.#workloadOf, state);
  }

  *enrolled(
    state: Pick<ClusterState, 'Pod' | 'Namespace'>,
    settings: EnrolmentSettings,
  ): Iterable<PlacedPod> {
    for (const name of state.Pod.namespaces()) {
      const pods = state.Pod.inNamespace(name);
      const namespace = state.Namespace.get('', name);
      yield* this.#enrolled.get(name, [pods, namespace], () => {
        const memo = memoFor(this.#enrolledOf, name, this.#onProblem);
        const placed = pods.map((pod) =>
          memo.get(keyOf(pod), [pod, namespace], () => placedPod(pod, namespace, settings)),
        );
        memo.sweep();
        return placed.filter((pod) => pod !== null);
      });
    }
    this.#enrolled.sweep();
    forget(this.#enrolledOf, state);
  }
}

function memoFor<V>(
  memos: Map<string, Memo<V | null>>,
  namespace: string,
  onProblem: ProblemListener,
): Memo<V | null> {
  const known = memos.get(namespace);
  if (known !== undefined) return known;
  const memo = new Memo<V | null>(onProblem, () => null);
  memos.set(namespace, memo);
  return memo;
}

/** Namespaces without pods need no memory of them. */
function forget(memos: Map<string, unknown>, state: Pick<ClusterState, 'Pod'>): void {
  for (const namespace of memos.keys()) {
    if (state.Pod.inNamespace(namespace).length === 0) memos.delete(namespace);
  }
}

function keyOf(pod: Pod): string {
  return `${namespaceOf(pod)}/${nameOf(pod)}`;
}

function workloadOf(pod: Pod, context: WorkloadContext): Resource<Workload> | null {
  const derived = deriveWorkload(pod, context);
  if (derived === null) return null;
  const sources = [refTo(pod), ...derived.services.map(refTo)];
  if (derived.waypoint !== null) sources.push(derived.waypoint.source);
  return workloadResource(derived.workload, sources);
}

function placedPod(
  pod: Pod,
  namespace: Namespace | undefined,
  settings: EnrolmentSettings,
): PlacedPod | null {
  // Before it has an address, too: the node's proxy may hold its start back until it is captured.
  const node = pod.spec?.nodeName ?? '';
  if (node === '' || !isEnrolled(pod, namespace, settings)) return null;
  return { node, resource: enrolledPodResource(enrolledPod(pod), [refTo(pod)]) };
}

function enrolledPod(pod: Pod): EnrolledPod {
  const annotations = annotationsOf(pod);
  const dnsCapture = parseGoBool(annotations[DNS_CAPTURE_ANNOTATION]);
  return create(EnrolledPodSchema, {
    uid: pod.metadata.uid ?? '',
    namespace: namespaceOf(pod),
    name: nameOf(pod),
    serviceAccount: pod.spec?.serviceAccountName ?? '',
    addresses: podAddresses(pod).map((address) => parseIpAddress(address) ?? new Uint8Array()),
    bypassInboundCapture: parseGoBool(annotations[BYPASS_INBOUND_ANNOTATION]) === true,
    ...(dnsCapture !== null && { dnsCapture }),
    configHash: annotations[CONFIG_HASH_ANNOTATION] ?? '',
  });
}
