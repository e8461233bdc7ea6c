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

export function workloadResource(
  workload: Workload,
  sources: readonly ObjectRef[],
): Resource<Workload> {
  const type = { case: 'workload' as const, value: encodeWorkload(workload) };
  return resource(
    workload.uid,
    workload,
    toBinary(AddressSchema, create(AddressSchema, { type })),
    sources,
  );
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
