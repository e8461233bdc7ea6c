import type { Workload } from '@aquifer/model';
import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { aService, aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { addressResources } from '../../../../test/fixtures/test-data-plane.ts';
import { SnapshotReader } from './snapshot.ts';
import { WorkloadStore } from './workload-store.ts';

const KEY = 'ns/svc.ns.svc.cluster.local';
const service = aService({ name: 'svc', namespace: 'ns', vip: '127.0.1.1' });

let store: WorkloadStore;
/** What a thread that carries connections sees of the store. */
let reader: SnapshotReader;
beforeEach(() => {
  store = new WorkloadStore();
  reader = new SnapshotReader();
  store.onChange((change) => {
    if (change.kind === 'snapshot') reader.apply(change.delta);
  });
});

function pod(name: string, fields: Partial<Omit<Workload, 'services'>> = {}, services = [KEY]) {
  return aWorkload({ name, namespace: 'ns', addresses: ['127.0.0.2'], services, ...fields });
}

function apply(
  workloads: readonly Workload[],
  services = [] as (typeof service)[],
  removed = [] as string[],
) {
  return store.applyAddresses({ resources: addressResources(workloads, services), removed });
}

/** `name: status` of each endpoint, the same in the store and on a thread. */
function endpoints(): string[] {
  const [ours, theirs] = [store.snapshot, reader.current].map((view) =>
    view.endpoints(KEY).map(({ name, status }) => `${name}: ${status}`),
  );
  expect(theirs).toEqual(ours);
  return ours!;
}

test('a workload is an endpoint for as long as it says so, with the health that it has (C131)', async () => {
  await apply([pod('a', {}, [])], [service]);
  expect(endpoints()).toEqual([]);
  await apply([pod('a')]);
  expect(endpoints()).toEqual(['a: healthy']);
  await apply([pod('a', { status: 'unhealthy' })]);
  expect(endpoints()).toEqual(['a: unhealthy']);
  await apply([pod('a', {}, [])]);
  expect(endpoints()).toEqual([]);
  await apply([pod('a'), pod('b', { addresses: ['127.0.0.3'] })]);
  expect(endpoints()).toEqual(['a: healthy', 'b: healthy']);
  await apply([], [], [pod('a').uid]);
  expect(endpoints()).toEqual(['b: healthy']);
});

test('a service is found by the addresses that it has now (C131)', async () => {
  const found = (ip: string) => reader.current.serviceByVip('', ip, 'ns')?.name ?? null;
  await apply([], [service]);
  expect([found('127.0.1.1'), found('127.0.1.2')]).toEqual(['svc', null]);
  await apply([], [aService({ name: 'svc', namespace: 'ns', vip: '127.0.1.2' })]);
  expect([found('127.0.1.1'), found('127.0.1.2')]).toEqual([null, 'svc']);
  await apply([], [], [KEY]);
  expect([found('127.0.1.1'), found('127.0.1.2')]).toEqual([null, null]);
});

test('a pod is found before an entry of the same address, then the entry, then nobody (C132)', async () => {
  const entry = pod('vm', { uid: 'c/networking.istio.io/WorkloadEntry/ns/vm' });
  const owner = () => reader.current.workloadByAddress('', '127.0.0.2')?.name ?? null;
  await apply([pod('a'), entry]);
  expect(owner()).toBe('a');
  await apply([{ ...entry, node: 'elsewhere' }]);
  expect(owner()).toBe('a');
  await apply([], [], [pod('a').uid]);
  expect(owner()).toBe('vm');
  await apply([], [], [entry.uid]);
  expect(owner()).toBeNull();
});

test('endpoints of a service that comes later are there, but for those that have gone (C118, C119)', async () => {
  await apply([pod('a'), pod('b', { status: 'unhealthy' }), pod('c')]);
  await apply([], [], [pod('c').uid]);
  await apply([], [], [pod('c').uid, 'nobody']);
  await apply([], [service]);
  expect(endpoints()).toEqual(['a: healthy', 'b: unhealthy']);
});

test('workloads that leave a service, or go, before it comes are not in it (C135)', async () => {
  await apply([pod('a'), pod('b')]);
  await apply([pod('a', {}, [])], [], [pod('b').uid]);
  await apply([], [service]);
  expect(endpoints()).toEqual([]);
});

test('an endpoint that one batch removes and adds is as it was added (C120)', async () => {
  await apply([pod('a')], [service]);
  await apply([pod('a', { status: 'unhealthy' })], [], [pod('a').uid]);
  expect(endpoints()).toEqual(['a: unhealthy']);
  const remapped: Workload = {
    ...pod('a'),
    services: new Map([[KEY, [{ servicePort: 80, targetPort: 9999, appProtocol: 'unknown' }]]]),
  };
  await apply([remapped], [], [pod('a').uid]);
  expect(endpoints()).toEqual(['a: healthy']);
  expect(reader.current.endpoints(KEY)[0]!.services.get(KEY)![0]!.targetPort).toBe(9999);
});

test('fifty workloads with their service among them are its endpoints, in one new version (C136)', async () => {
  let versions = 0;
  using _watch = store.onChange((change) => {
    if (change.kind === 'snapshot') versions += 1;
  });
  const pods = Array.from({ length: 50 }, (_, i) => pod(`p${i}`, { addresses: [`127.0.2.${i}`] }));
  const [first, second] = [pods.slice(0, 25), pods.slice(25)];
  const resources = [...addressResources(first, [service]), ...addressResources(second, [])];
  await store.applyAddresses({ resources, removed: [] });
  expect(endpoints()).toHaveLength(50);
  expect(versions).toBe(1);
});

test('of a batch with one resource that is none all others are taken (C137)', async () => {
  const broken = { name: 'broken', body: Uint8Array.of(0xff, 0xff) };
  const resources = [
    ...addressResources([pod('a')], [service]),
    broken,
    ...addressResources([pod('b')], []),
  ];
  const rejected = await store.applyAddresses({ resources, removed: [] });
  expect(rejected.map(({ name }) => name)).toEqual(['broken']);
  expect(endpoints()).toEqual(['a: healthy', 'b: healthy']);
});

test('an endpoint is gone after a later push that removes it (C138)', async () => {
  await apply([pod('a'), pod('b')], [service]);
  await apply([], [], [pod('a').uid]);
  expect(endpoints()).toEqual(['b: healthy']);
});

test('a workload is looked up by its address, and a service by namespace and hostname; others are not there (C047)', async () => {
  await apply([pod('a')], [service]);
  const view = reader.current;
  expect(view.workloadByAddress('', '127.0.0.2')?.name).toBe('a');
  expect(view.service(KEY)?.name).toBe('svc');
  expect(view.workloadByAddress('', '127.0.0.9')).toBeNull();
  expect(view.service('ns/other.ns.svc.cluster.local')).toBeNull();
  expect(view.service('other/svc.ns.svc.cluster.local')).toBeNull();
});

test('whatever bytes resources are made of, they are taken or refused by name, and others are taken (C066)', async () => {
  const [whole] = addressResources([pod('a')], []);
  const changed = fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => {
    const bytes = Uint8Array.from(whole!.body);
    bytes[at % bytes.length] = byte;
    return bytes;
  });
  const anything = fc.oneof(fc.uint8Array({ maxLength: 100 }), changed);
  await fc.assert(
    fc.asyncProperty(anything, async (body) => {
      const fresh = new WorkloadStore();
      const good = addressResources([pod('good', { addresses: ['127.9.9.9'] })], []);
      const batch = { resources: [{ name: 'x', body }, ...good], removed: [] };
      const rejected = await fresh.applyAddresses(batch);
      expect(rejected.every(({ name }) => name === 'x')).toBe(true);
      expect(fresh.snapshot.workloadByAddress('', '127.9.9.9')?.name).toBe('good');
      const policies = { resources: [{ name: 'ns/x', body }], removed: [] };
      const refused = await fresh.applyPolicies(policies);
      expect(refused.every(({ name }) => name === 'ns/x')).toBe(true);
    }),
    { numRuns: 500 },
  );
});
