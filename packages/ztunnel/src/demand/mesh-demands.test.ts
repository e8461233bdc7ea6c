import { DemandedNames } from '@aquifer/control-plane-client';
import { WorkloadStore } from '@aquifer/control-plane-client/store';
import type { Service, Workload } from '@aquifer/model';
import { beforeEach, expect, test } from 'vitest';
import { aService, aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { aliasedResources } from '../../../../test/fixtures/scripted-discovery.ts';
import { MeshDemands } from './mesh-demands.ts';

const KEY = 'shop/web.shop.svc.cluster.local';
const elsewhere = { node: 'node-2' };
const web = aWorkload({ ...elsewhere, name: 'web', addresses: ['10.0.0.2'], services: [KEY] });
const lone = aWorkload({ ...elsewhere, name: 'lone', addresses: ['10.0.0.3'] });
const ours = aWorkload({ name: 'ours', addresses: ['10.0.0.4'] });
const service = aService({ name: 'web', vip: '10.96.0.1' });

let names: DemandedNames;
let demands: MeshDemands;
let store: WorkloadStore;

beforeEach(() => {
  names = new DemandedNames(8);
  demands = new MeshDemands({ clusterId: 'Kubernetes', nodeName: 'node-1' }, names);
  store = new WorkloadStore({
    onWorkload: (before, after) => demands.followWorkload(before, after),
  });
});

async function receive(
  workloads: readonly Workload[],
  services: readonly Service[],
  removed: readonly string[] = [],
): Promise<void> {
  const resources = aliasedResources(workloads, services);
  await store.applyAddresses({ resources, removed });
  names.received({ resources, removed }, new Map(), new Set());
}

function known(): string[] {
  return [...names.held.keys()].filter(
    (name) => (store.snapshot.workload(name) ?? store.snapshot.service(name)) !== null,
  );
}

test('what threads miss is asked for, and what they use is kept longer', async () => {
  demands.hear({ kind: 'names-missing', names: Array.from({ length: 8 }, (_, i) => `n${i}`) });
  expect(names.takeRequest()?.subscribe).toHaveLength(8);
  await receive(
    [],
    [],
    Array.from({ length: 8 }, (_, i) => `n${i}`),
  );
  demands.hear({ kind: 'names-used', names: ['n0'] });
  demands.hear({ kind: 'names-missing', names: ['n8'] });
  expect([names.wants('n0'), names.wants('n1')]).toEqual([true, false]);
});

test('a captured pod is asked for by its uid for as long as it is served', () => {
  demands.followPod(ours);
  expect(names.takeRequest()?.subscribe).toEqual([ours.uid]);
  for (let i = 0; i < 20; i++) names.ask(`n${i}`);
  expect(names.wants(ours.uid)).toBe(true);
});

test('what nobody wants any more is forgotten: not a service’s workloads, nor those of the node', async () => {
  names.ask('/10.96.0.1');
  await receive([web, lone, ours], [service]);
  names.takeRequest();
  await demands.forgetUnwanted(store);
  expect(new Set(known())).toEqual(new Set([web.uid, ours.uid, KEY]));
  expect(names.takeRequest()).toEqual({ subscribe: [], unsubscribe: [lone.uid] });
});

test('when its name is dropped, a service goes with all its workloads', async () => {
  names.ask('/10.96.0.1');
  await receive([web], [service]);
  for (let i = 0; i < 8; i++) names.ask(`n${i}`);
  expect(names.wants('/10.96.0.1')).toBe(false);
  await demands.forgetUnwanted(store);
  expect(known()).toEqual([]);
  expect(store.snapshot.workload(web.uid)).toBeNull();
});
