/** The mesh with an example in it: what is served, written, and said. */

import { AuthorizationSchema } from '@aquifer/wire/gen/istio/security_pb';
import { AddressSchema } from '@aquifer/wire/gen/istio/workload_pb';
import { type DescMessage, fromBinary, toJson } from '@bufbuild/protobuf';
import { parseAllDocuments } from 'yaml';
import { analyze } from '../../../../packages/control-plane/src/analysis/analyze.ts';
import type { WrittenObject } from '../../../../packages/control-plane/src/analysis/shape-messages.ts';
import { clusterWishes } from '../../../../packages/control-plane/src/cluster-wishes.ts';
import {
  TestCluster,
  type TestObject,
} from '../../../../packages/control-plane/src/derive/derivation.fixture.ts';
import { RECORDED_TYPES } from '../../../../packages/control-plane/src/derive/l7/recorded-proxy.fixture.ts';
import { objectAt } from '../../../../packages/control-plane/src/ingest/kinds.ts';
import { ServedResources } from '../../../../packages/control-plane/src/push/served-resources.ts';
import type { ResourceSet } from '../../../../packages/control-plane/src/push/served-set.ts';
import type { Wish } from '../../../../packages/control-plane/src/reconcile/wish.ts';
import { messageRegistry } from '../../../fixtures/message-registry.ts';
import { MESH, PROXIES, WAYPOINT } from '../what-changes/mesh.ts';
import { connectProxies } from '../what-changes/observe.ts';
import type { Promised } from './example.ts';

const registry = await messageRegistry();

const SCHEMAS: Readonly<Record<string, DescMessage>> = {
  ...Object.fromEntries(Object.entries(RECORDED_TYPES).map(([type, { schema }]) => [type, schema])),
  Address: AddressSchema,
  Authorization: AuthorizationSchema,
};

const SETTINGS = {
  clusterId: 'Kubernetes',
  clusterDomain: 'cluster.local',
  systemNamespace: 'istio-system',
  caAddress: '',
  revision: 'default',
  image: 'aquifer/waypoint:dev',
  gatewayImage: 'istio/proxyv2:dev',
  imagePullSecrets: [],
};

export class AppliedExample {
  readonly #objects: readonly TestObject[];
  readonly #served = new ServedResources();
  readonly #wishes: Iterable<readonly [string, Wish]>;

  constructor(given: string) {
    const documents = parseAllDocuments(given);
    this.#objects = documents.map((document) => document.toJS() as TestObject);
    const cluster = new TestCluster();
    const { wishes } = clusterWishes(cluster.derivation, SETTINGS);
    connectProxies(cluster);
    cluster.put(...MESH, ...this.#objects);
    this.#served.follow(cluster.derivation);
    this.#wishes = [...wishes.entries()];
  }

  /** What there is to be looked at: JSON; undefined if there is nothing. */
  find(promised: Promised): unknown {
    if ('says' in promised) return this.#messages();
    if ('object' in promised) return this.#written(promised.object);
    if ('status' in promised) return this.#statusOf(promised.status);
    const resource = this.#setOf(promised)?.get(promised.name);
    if (resource === undefined) return undefined;
    const schema = SCHEMAS[promised.type]!;
    return toJson(schema, fromBinary(schema, resource.bytes), { registry });
  }

  #setOf({ to, type }: Extract<Promised, { to: string }>): ResourceSet | undefined {
    if (type === 'Address') return this.#served.addresses;
    if (type === 'Authorization') return this.#served.authorizations;
    const set = RECORDED_TYPES[type].type;
    if (to === 'waypoint') {
      return set === 'routes' || set === 'secrets'
        ? undefined
        : this.#served.waypoint(WAYPOINT)?.[set];
    }
    return to === 'ztunnel' ? undefined : this.#served.proxy(PROXIES[to].id)?.[set];
  }

  /** `kind namespace/name` of an object that a Gateway becomes. */
  #written(wanted: string): unknown {
    for (const [, { write }] of this.#wishes) {
      if (write.verb !== 'applyOwned') continue;
      const { kind, metadata } = write.manifest;
      if (`${kind} ${metadata.namespace}/${metadata.name}` === wanted) return write.manifest;
    }
    return undefined;
  }

  #statusOf(wanted: string): unknown {
    const found: unknown[] = [];
    for (const [, { write }] of this.#wishes) {
      const object = objectAt(write.path);
      if (object === null || !('body' in write) || !write.path.endsWith('/status')) continue;
      const { kind, namespace, name } = object;
      if (`${kind} ${namespace}/${name}` === wanted) found.push(write.body);
    }
    return found.length === 0 ? undefined : found;
  }

  #messages(): unknown {
    const all = [...MESH, ...this.#objects].filter(({ apiVersion }) => apiVersion !== undefined);
    return analyze(all as unknown as WrittenObject[]).map(({ message }) => ({ message }));
  }
}

/** Whether an object somewhere inside has everything that `wanted` has. */
export function hasInside(value: unknown, wanted: object): boolean {
  if (isWithin(wanted, value)) return true;
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some((inner) => hasInside(inner, wanted));
}

/** Of a list every wanted item must be there, in any place. */
function isWithin(wanted: unknown, value: unknown): boolean {
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(value) && wanted.every((item) => value.some((each) => isWithin(item, each)))
    );
  }
  if (typeof wanted !== 'object' || wanted === null) return wanted === value;
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(wanted).every(([key, item]) =>
    isWithin(item, (value as Readonly<Record<string, unknown>>)[key]),
  );
}
