import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createLogger } from '@aquifer/runtime';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../../../../test/fuzz/runs.ts';
import type { Collection } from '../collections/collection.ts';
import { keyOf, type StoredObject } from '../ingest/cluster-inputs.ts';
import { ClusterStore } from '../ingest/cluster-store.ts';
import { WATCHED_KINDS, type WatchedKind } from '../ingest/kinds.ts';
import { firstOfEachName, TestCluster, type TestObject, valuesOf } from './derivation.fixture.ts';
import type { OwnedResource } from './l7/owned-resource.ts';
import type { ProxyNode } from './l7/proxy-node.ts';
import { readyCluster } from './l7/recorded-waypoint.fixture.ts';
import type { Resource } from './resource.ts';

const GOLDEN = new URL('../../../../test/fixtures/golden/', import.meta.url);

function recorded(folder: string, names: RegExp): TestObject[] {
  const cases = readdirSync(new URL(folder, GOLDEN)).filter((name) => names.test(name));
  // Of some cases only what was served is here.
  const files = cases.map((name) => new URL(`${folder}${name}/objects.json`, GOLDEN));
  return files
    .filter((file) => existsSync(file))
    .flatMap((file) => JSON.parse(readFileSync(file, 'utf8')) as TestObject[]);
}

const PLAIN = firstOfEachName([
  ...recorded('wds/', /^(1[1-57-9]|2\d|3[01])-/),
  ...recorded('l7/', /^\d\d-/),
  {
    kind: 'MeshConfigMap',
    metadata: { namespace: 'istio-system', name: 'istio' },
    data: { mesh: readFileSync(new URL('wds/31-mesh-config/mesh.yaml', GOLDEN), 'utf8') },
  },
  {
    kind: 'ServiceEntry',
    metadata: { namespace: 'team', name: 'later' },
    spec: { hosts: ['ext.example.com', 'a.example.com'], resolution: 'DNS' },
  },
]);
/** Every waypoint is ready. */
const OBJECTS: readonly TestObject[] = readyCluster(PLAIN).objects();

const PROXIES: readonly ProxyNode[] = [
  ['sidecar', 'team', 'web-1', { app: 'web' }],
  ['sidecar', 'shop', 'cart-1', { app: 'cart' }],
  ['grpc', 'shop', 'caller-1', { app: 'web' }],
  ['router', 'edge', 'ingressgateway-0', { istio: 'ingressgateway' }],
].map(([type, namespace, podName, labels]) => ({
  type,
  namespace,
  podName,
  labels,
  addresses: ['10.1.0.1'],
  locality: null,
  meshId: '',
  account: '',
  inboundTunnels: 'none',
})) as readonly ProxyNode[];

/** Proxies are connected to it. */
function clusterOf(objects: readonly TestObject[]): TestCluster {
  const cluster = new TestCluster(objects);
  for (const node of PROXIES) cluster.derivation.proxies.set(node.podName, node);
  cluster.derivation.settle();
  return cluster;
}

/** All that is served, as versions. */
function versions({ derivation }: TestCluster): unknown {
  const { mesh, waypoints, sidecars, grpcClients, gateways } = derivation;
  const flat = (collection: Collection<Resource>) =>
    new Map(Array.from(collection.entries(), ([name, { version }]) => [name, version]));
  const owned = (collection: Collection<OwnedResource>) =>
    new Map(Array.from(collection.entries(), ([key, { resource }]) => [key, resource.version]));
  return [
    flat(mesh.addresses),
    flat(mesh.authorizations),
    new Map(Array.from(mesh.services.entries(), ([key, { condition }]) => [key, condition])),
    new Map(Array.from(mesh.workloadEntries.entries(), ([key, { condition }]) => [key, condition])),
    new Map(mesh.allocatedAddresses.entries()),
    new Map(Array.from(mesh.enrolledPods.entries(), ([uid, { node }]) => [uid, node])),
    owned(waypoints.clusters),
    owned(waypoints.endpoints),
    owned(waypoints.listeners),
    ...[sidecars, grpcClients, gateways].flatMap(({ clusters, endpoints, listeners, routes }) =>
      [clusters, endpoints, listeners, routes].map(owned),
    ),
  ];
}

/** Somebody writes to the object, and changes nothing that means anything. */
function touch(cluster: TestCluster, object: TestObject): void {
  const known = cluster.derivation.cluster.anyOf(object.kind as WatchedKind).get(keyOf(object)) as
    | TestObject
    | undefined;
  if (known === undefined) return;
  cluster.put({ ...known, status: { ...(known.status as object), conditions: [] } });
}

test('after any series of changes everything is the same as if it were derived anew', () => {
  const change = fc.record({
    object: fc.constantFrom(...OBJECTS),
    how: fc.constantFrom<('toggle' | 'touch')[]>('toggle', 'touch'),
  });
  const gateways = OBJECTS.filter(({ kind }) => kind === 'Gateway');
  const write = fc.record({
    object: fc.constantFrom(...gateways),
    how: fc.constant('touch' as const),
  });
  const step = fc.array(fc.oneof(change, write), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
      const cluster = clusterOf(OBJECTS);
      for (const changes of steps) {
        for (const { object, how } of changes) {
          if (how === 'touch') touch(cluster, object);
          else cluster.toggle(object);
        }
        expect(versions(cluster)).toEqual(versions(clusterOf(cluster.objects())));
      }
    }),
    runs(5),
  );
}, 120_000);

/** What the API delivers of the object: as it is, in another version, malformed, or gone. */
const FORMS = ['good', 'good', 'touched', 'malformed', 'gone'] as const;
type Form = (typeof FORMS)[number];

/** A cluster that is fed as by watches, with whatever comes. */
function fedCluster() {
  const cluster = clusterOf([]);
  const { cluster: inputs, malformed } = cluster.derivation;
  const log = createLogger('test', { format: 'plain', write: () => undefined });
  const onChange = (): void => undefined;
  return { cluster, store: new ClusterStore({ inputs, malformed, revision: '', log, onChange }) };
}

let lastVersion = 0;

function deliver(store: ClusterStore, object: TestObject, form: Form): void {
  lastVersion += 1;
  const metadata = { ...object.metadata, resourceVersion: `v${lastVersion}` };
  const delivered: StoredObject & { spec?: unknown } = structuredClone({ ...object, metadata });
  if (form === 'malformed') Object.assign(delivered, { spec: ['not', 'a', 'spec'] });
  store.change(object.kind as WatchedKind, delivered, form === 'gone');
}

test('whatever is delivered in whatever order, malformed objects too, everything is as if it were derived anew', () => {
  const watchedObjects = OBJECTS.filter(({ kind }) => kind in WATCHED_KINDS);
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat()), (random) => {
      const next = (below: number): number => random.next().value! % below;
      const { cluster, store } = fedCluster();
      for (const object of shuffled(watchedObjects, next)) {
        deliver(store, object, FORMS[next(FORMS.length)]!);
        // Sometimes something else happens before it counts.
        if (next(3) > 0) cluster.derivation.settle();
        const other = watchedObjects[next(watchedObjects.length)]!;
        if (next(4) === 0) deliver(store, other, FORMS[next(FORMS.length)]!);
      }
      cluster.derivation.settle();
      expect(versions(cluster)).toEqual(versions(clusterOf(cluster.objects())));
    }),
    runs(5, 7),
  );
}, 180_000);

function shuffled<T>(items: readonly T[], next: (below: number) => number): T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = next(last + 1);
    [result[last], result[other]] = [result[other]!, result[last]!];
  }
  return result;
}

test('a status that is written to a Gateway changes nothing that is served', () => {
  const cluster = new TestCluster(OBJECTS);
  const { endpoints, listeners } = cluster.derivation.waypoints;
  const encap = valuesOf(endpoints).filter(({ resource }) => resource.name === 'encap');
  expect(encap.length).toBeGreaterThan(0);
  for (const object of OBJECTS) {
    if (object.kind !== 'Gateway') continue;
    touch(cluster, object);
    expect([...endpoints.changes.keys(), ...listeners.changes.keys()]).toEqual([]);
  }
});

test('a status that is written to a Service derives no pod and no waypoint again', () => {
  const cluster = new TestCluster(OBJECTS);
  const { cluster: inputs } = cluster.derivation;
  const looked: string[] = [];
  for (const kind of ['Pod', 'Gateway'] as const) {
    for (const [key, object] of inputs.of(kind).entries()) {
      inputs.anyOf(kind).set(
        key,
        watched(object, () => looked.push(`${kind} ${key}`)),
      );
    }
  }
  cluster.derivation.settle();
  expect(new Set(looked).size).toBe(inputs.of('Pod').size + inputs.of('Gateway').size);
  looked.length = 0;
  for (const object of OBJECTS) if (object.kind === 'Service') touch(cluster, object);
  expect(looked).toEqual([]);
});

/** The object in a new version, which tells whenever somebody looks at its spec. */
function watched<T extends StoredObject>(object: T, onLook: () => void): T {
  const metadata = { ...object.metadata, resourceVersion: 'watched' };
  const { spec } = object as { readonly spec?: unknown };
  const look = (): unknown => {
    onLook();
    return spec;
  };
  return Object.defineProperty({ ...object, metadata }, 'spec', { get: look });
}

test('a change of one pod changes one resource', () => {
  const cluster = new TestCluster(OBJECTS);
  const { addresses, authorizations } = cluster.derivation.mesh;
  const pod = OBJECTS.find(({ kind }) => kind === 'Pod')!;
  const { namespace = '', name } = pod.metadata;
  const labels = { ...pod.metadata.labels, version: 'v2' };
  cluster.put({ ...pod, metadata: { ...pod.metadata, labels } });
  const uid = `Kubernetes//Pod/${namespace}/${name}`;
  expect([...addresses.changes.keys()]).toEqual([uid]);
  expect(addresses.get(uid)?.sources[0]).toEqual({ kind: 'Pod', namespace, name });
  expect(authorizations.changes.size).toBe(0);
});
