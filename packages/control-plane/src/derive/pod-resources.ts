/** What a pod becomes: a Workload, and a pod to capture. */
import { isDeepStrictEqual } from 'node:util';
import { parseIpAddress } from '@aquifer/model';
import type { Namespace, Pod } from '@aquifer/model/resources';
import { type EnrolledPod, EnrolledPodSchema } from '@aquifer/wire/gen/aquifer/node_pb';
import { create } from '@bufbuild/protobuf';
import type { ObjectRef } from '../ingest/kinds.ts';
import { type EnrolmentSettings, isEnrolled } from './enrolled-pods.ts';
import {
  BYPASS_INBOUND_ANNOTATION,
  CONFIG_HASH_ANNOTATION,
  DNS_CAPTURE_ANNOTATION,
} from './labels.ts';
import type { MeshService } from './mesh-service.ts';
import {
  annotationsOf,
  type LabelledObject,
  labelsOf,
  nameOf,
  namespaceOf,
  parseGoBool,
  refTo,
} from './object.ts';
import {
  enrolledPodResource,
  type Resource,
  tlsModeOf,
  type WorkloadResource,
  workloadResource,
} from './resource.ts';
import type { Waypoint } from './waypoints.ts';
import { deriveWorkload, type PodContext, podAddresses } from './workloads.ts';

/** A pod to capture, and the node whose proxy does it. */
export interface PlacedPod {
  readonly node: string;
  readonly resource: Resource<null>;
}

/** Null for pods that are no workloads. */
export function podWorkload(pod: Pod, context: PodContext): WorkloadResource | null {
  const derived = deriveWorkload(pod, context);
  if (derived === null) return null;
  const sources = sourcesOf(pod, context.services, derived.waypoint);
  return workloadResource(derived.workload, sources, {
    labels: labelsOf(pod),
    tlsMode: tlsModeOf(labelsOf(pod)),
    name: null,
  });
}

/** The object of a workload, those of the services that it is behind, and its waypoint's. */
export function sourcesOf(
  object: LabelledObject & { readonly kind: string },
  services: readonly MeshService[],
  waypoint: Waypoint | null,
): readonly ObjectRef[] {
  const sources = [refTo(object)];
  for (const service of services) {
    const ref = refTo(service);
    // The hosts of a ServiceEntry are services of one object.
    if (!sources.some((known) => isDeepStrictEqual(known, ref))) sources.push(ref);
  }
  return waypoint === null ? sources : [...sources, waypoint.source];
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
