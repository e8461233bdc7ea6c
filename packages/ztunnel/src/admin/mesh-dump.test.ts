import { WorkloadStore } from '@aquifer/control-plane-client/store';
import type { DumpedService, DumpedWorkload } from '@aquifer/wire';
import { expect, test } from 'vitest';
import { aService, aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { addressResources } from '../../../../test/fixtures/test-data-plane.ts';
import { meshDump } from './mesh-dump.ts';

const KEY = 'shop/server.shop.svc.cluster.local';

test('a dump shows the mesh as it was when the dump began, whatever arrives meanwhile', async () => {
  const workloads = Array.from({ length: 3000 }, (_, i) =>
    aWorkload({ name: `w${i}`, addresses: [`10.0.${i >> 8}.${i & 255}`], services: [KEY] }),
  );
  const service = aService({ name: 'server', vip: '10.96.0.1' });
  const store = new WorkloadStore();
  await store.applyAddresses({ resources: addressResources(workloads, [service]), removed: [] });
  const dumping = meshDump(store);
  const changed = addressResources([{ ...workloads[0]!, node: 'elsewhere' }], []);
  const removed = workloads.slice(1).map(({ uid }) => uid);
  await store.applyAddresses({ resources: changed, removed });
  const dump = await dumping;
  expect(dump.workloads).toHaveLength(3000);
  expect(dump.workloads[0]?.describe()).toMatchObject({ uid: workloads[0]!.uid, node: 'node-1' });
  const [described] = dump.services.map(({ describe }) => describe() as DumpedService);
  expect(Object.keys(described?.endpoints ?? {})).toHaveLength(3000);
  expect(described?.endpoints[workloads[7]!.uid]).toEqual({
    workloadUid: workloads[7]!.uid,
    port: { '80': 8080 },
    status: 'Healthy',
  });
});

test('a dump says where a waypoint is, with its network (C266)', async () => {
  const destination = { kind: 'address', network: 'defaultnw', address: '127.0.0.10' } as const;
  const workload = aWorkload({ name: 'w', waypoint: { destination, hboneMtlsPort: 15_008 } });
  const store = new WorkloadStore();
  await store.applyAddresses({ resources: addressResources([workload], []), removed: [] });
  const { workloads } = await meshDump(store);
  expect((workloads[0]!.describe() as DumpedWorkload).waypoint).toEqual({
    destination: 'defaultnw/127.0.0.10',
    hboneMtlsPort: 15_008,
  });
});
