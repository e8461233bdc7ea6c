/** What a pod becomes: a Workload, and a pod to capture. */
import type { Workload } from '@aquifer/model';
import { parseIpAddress } from '@aquifer/model';
import type { Namespace, Pod } from '@aquifer/model/resources';
import { type EnrolledPod, EnrolledPodSchema } from '@aquifer/wire/gen/aquifer/node_pb';
import { create } from '@bufbuild/protobuf';
import { type EnrolmentSettings, isEnrolled } from './enrolled-pods.ts';
import {
  BYPASS_INBOUND_ANNOTATION,
  CONFIG_HASH_ANNOTATION,
  DNS_CAPTURE_ANNOTATION,
} from './labels.ts';
import { annotationsOf, nameOf, namespaceOf, parseGoBool, refTo } from './object.ts';
import { enrolledPodResource, type Resource, workloadResource } from './resource.ts';
import { deriveWorkload, podAddresses, type WorkloadContext } from './workloads.ts';

/** A pod to capture, and the node whose proxy does it. */
export interface PlacedPod {
  readonly node: string;
  readonly resource: Resource<null>;
}

/** Null for pods that are no workloads. */
export function podWorkload(pod: Pod, context: WorkloadContext): Resource<Workload> | null {
  const derived = deriveWorkload(pod, context);
  if (derived === null) return null;
  const sources = [refTo(pod), ...context.services.map(refTo)];
  if (derived.waypoint !== null) sources.push(derived.waypoint.source);
  return workloadResource(derived.workload, sources);
}

/** Null for pods that are not captured. */
export function placedPod(
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
