/** Derived configuration, encoded once for all subscribers. */
import { isDeepStrictEqual } from 'node:util';
import type { Authorization, Service, Workload } from '@aquifer/model';
import { encodeAuthorization, encodeService, encodeWorkload } from '@aquifer/wire';
import { type EnrolledPod, EnrolledPodSchema } from '@aquifer/wire/gen/aquifer/node_pb';
import { AuthorizationSchema } from '@aquifer/wire/gen/istio/security_pb';
import { AddressSchema } from '@aquifer/wire/gen/istio/workload_pb';
import { create, toBinary } from '@bufbuild/protobuf';
import xxhash from 'xxhash-wasm';
import type { ObjectRef } from '../ingest/kinds.ts';
import { TLS_MODE_LABEL } from './labels.ts';

/** One xDS resource. `bytes` is the marshalled message (deterministic), `version` its 64-bit xxHash in hex. */
export interface Resource<T = unknown> {
  readonly name: string;
  readonly value: T;
  readonly bytes: Uint8Array;
  readonly version: string;
  /** The API objects that produced it. */
  readonly sources: readonly ObjectRef[];
}

/** Resources of one type by name. */
export type ResourceMap<T = unknown> = ReadonlyMap<string, Resource<T>>;

const { h64Raw } = await xxhash();

/** The version of marshalled bytes: 64-bit xxHash, lower-case hex without padding (spec control-plane 2.1). */
function versionOf(bytes: Uint8Array): string {
  return h64Raw(bytes).toString(16);
}

/** What proxies of HTTP read of a workload, and node proxies are not told. */
export interface WorkloadTraits {
  /** What subsets select it by. */
  readonly labels: Readonly<Record<string, string>>;
  /** `istio` where a sidecar in front of it takes mutual TLS. */
  readonly tlsMode: 'istio' | 'disabled';
  /** What telemetry calls it; null for the name of the workload. */
  readonly name: string | null;
}

export interface WorkloadResource extends Resource<Workload> {
  readonly traits: WorkloadTraits;
}

export function workloadResource(
  workload: Workload,
  sources: readonly ObjectRef[],
  traits: WorkloadTraits = NO_TRAITS,
): WorkloadResource {
  const type = { case: 'workload' as const, value: encodeWorkload(workload) };
  const bytes = toBinary(AddressSchema, create(AddressSchema, { type }));
  return { ...resource(workload.uid, workload, bytes, sources), traits };
}

/** As the label says; `otherwise` without it. */
export function tlsModeOf(
  labels: WorkloadTraits['labels'],
  otherwise: WorkloadTraits['tlsMode'] = 'disabled',
): WorkloadTraits['tlsMode'] {
  const said = labels[TLS_MODE_LABEL];
  if (said === undefined) return otherwise;
  return said === 'istio' ? said : 'disabled';
}

const NO_TRAITS: WorkloadTraits = { labels: {}, tlsMode: 'disabled', name: null };

/** Whether two resources say the same, of the same workload, and were made by the same objects. */
export function isSameWorkload(before: WorkloadResource, now: WorkloadResource): boolean {
  return isSameResource(before, now) && isDeepStrictEqual(before.traits, now.traits);
}

export function serviceResource(
  service: Service,
  sources: readonly ObjectRef[],
): Resource<Service> {
  const type = { case: 'service' as const, value: encodeService(service) };
  const bytes = toBinary(AddressSchema, create(AddressSchema, { type }));
  return resource(`${service.namespace}/${service.hostname}`, service, bytes, sources);
}

export function authorizationResource(
  policy: Authorization,
  sources: readonly ObjectRef[],
): Resource<Authorization> {
  const bytes = toBinary(AuthorizationSchema, encodeAuthorization(policy));
  return resource(`${policy.namespace}/${policy.name}`, policy, bytes, sources);
}

export function enrolledPodResource(
  pod: EnrolledPod,
  sources: readonly ObjectRef[],
): Resource<null> {
  return resource(pod.uid, null, toBinary(EnrolledPodSchema, pod), sources);
}

/** A resource whose version is that of its bytes. */
export function resource<T>(
  name: string,
  value: T,
  bytes: Uint8Array,
  sources: readonly ObjectRef[],
): Resource<T> {
  return { name, value, bytes, version: versionOf(bytes), sources };
}

/** Whether two resources say the same, and were made by the same objects. */
export function isSameResource(before: Resource, now: Resource): boolean {
  return before.version === now.version && isDeepStrictEqual(before.sources, now.sources);
}
