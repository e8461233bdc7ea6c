import type { Service, Workload } from '@aquifer/model';
import { encodeAuthorization, encodeService, encodeWorkload } from '@aquifer/wire';
import { AuthorizationSchema } from '@aquifer/wire/gen/istio/security_pb';
import { AddressSchema } from '@aquifer/wire/gen/istio/workload_pb';
import { create, toBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { aService, aWorkload } from '../../../test/fixtures/mesh-objects.ts';
import { WorkloadStore } from './workload-store.ts';

function workloadResource(workload: Workload) {
  const message = create(AddressSchema, {
    type: { case: 'workload', value: encodeWorkload(workload) },
  });
  return { name: workload.uid, body: toBinary(AddressSchema, message) };
}

function serviceResource(service: Service) {
  const message = create(AddressSchema, {
    type: { case: 'service', value: encodeService(service) },
  });
  return {
    name: `${service.namespace}/${service.hostname}`,
    body: toBinary(AddressSchema, message),
  };
}

function storeOf(workloads: Workload[], services: Service[]): WorkloadStore {
  const store = new WorkloadStore();
  const resources = [...workloads.map(workloadResource), ...services.map(serviceResource)];
  expect(store.applyAddresses({ resources, removed: [] })).toEqual([]);
  return store;
}

test('endpoints may arrive before their service and survive its replacement', () => {
  const server = aWorkload({
    name: 'server',
    addresses: ['10.0.0.2'],
    services: ['shop/server.test'],
  });
  const store = storeOf([server], []);
  expect([...store.stagedServices()]).toEqual(['shop/server.test']);
  const service = aService({ name: 'server', hostname: 'server.test', vip: '10.96.0.1' });
  store.applyAddresses({ resources: [serviceResource(service)], removed: [] });
  store.applyAddresses({ resources: [serviceResource(service)], removed: [] });
  expect([...store.endpoints('shop/server.test').keys()]).toEqual([server.uid]);
  expect(store.serviceByVip('', '10.96.0.1', 'other')?.hostname).toBe('server.test');
});

test('a removed workload takes its address and endpoints with it', () => {
  const server = aWorkload({
    name: 'server',
    addresses: ['10.0.0.2'],
    services: ['shop/server.test'],
  });
  const store = storeOf([server], []);
  store.applyAddresses({ resources: [], removed: [server.uid] });
  expect(store.workloadByAddress('', '10.0.0.2')).toBeNull();
  expect(store.endpoints('shop/server.test').size).toBe(0);
});

test('a shared virtual address belongs to the service of the caller, else to the canonical one', () => {
  const mine = aService({
    name: 'a',
    namespace: 'mine',
    hostname: 'x.test',
    vip: '10.96.0.1',
    canonical: false,
  });
  const canonical = aService({
    name: 'a',
    namespace: 'owner',
    hostname: 'x.test',
    vip: '10.96.0.1',
  });
  const store = storeOf([], [mine, canonical]);
  expect(store.serviceByVip('', '10.96.0.1', 'mine')?.namespace).toBe('mine');
  expect(store.serviceByVip('', '10.96.0.1', 'third')?.namespace).toBe('owner');
});

test('host-network workloads are not found by address', () => {
  const agent = aWorkload({
    name: 'agent',
    addresses: ['192.168.0.1'],
    networkMode: 'host-network',
  });
  expect(storeOf([agent], []).workloadByAddress('', '192.168.0.1')).toBeNull();
});

test('a resource that does not decode is rejected by name and the last good one stays', () => {
  const server = aWorkload({ name: 'server', addresses: ['10.0.0.2'] });
  const store = storeOf([server], []);
  const broken = { name: server.uid, body: new Uint8Array([0xff, 0xff]) };
  const rejected = store.applyAddresses({ resources: [broken], removed: [] });
  expect(rejected.map(({ name }) => name)).toEqual([server.uid]);
  expect(store.workloadByAddress('', '10.0.0.2')?.uid).toBe(server.uid);
});

test('policies apply by namespace, globally, and by selector only to those that list them', () => {
  const store = new WorkloadStore();
  const policy = (
    name: string,
    namespace: string,
    scope: 'global' | 'namespace' | 'workload-selector',
  ) => ({
    name: `${namespace}/${name}`,
    body: toBinary(
      AuthorizationSchema,
      encodeAuthorization({ name, namespace, scope, action: 'deny', groups: [], dryRun: false }),
    ),
  });
  const resources = [
    policy('ns', 'shop', 'namespace'),
    policy('mesh', 'istio-system', 'global'),
    policy('picked', 'shop', 'workload-selector'),
    policy('foreign', 'other', 'namespace'),
  ];
  store.applyPolicies({ resources, removed: [] });
  const names = (workload: Workload) => store.policiesFor(workload).map(({ name }) => name);
  expect(names(aWorkload({ name: 'a' }))).toEqual(['ns', 'mesh']);
  expect(
    names(aWorkload({ name: 'b', authorizationPolicies: ['shop/picked', 'shop/gone'] })),
  ).toEqual(['ns', 'mesh', 'picked']);
});
