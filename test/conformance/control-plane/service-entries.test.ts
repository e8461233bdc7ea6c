import { ADDRESS_TYPE } from '@aquifer/wire';
import type { DeltaDiscoveryResponse } from '@aquifer/wire/gen/envoy/service/discovery/v3_pb';
import { type Address, AddressSchema } from '@aquifer/wire/gen/istio/workload_pb';
import { fromBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { namespaceObject, podObject, startTestControlPlane } from '../../fixtures/control-plane.ts';
import { eventually } from '../../fixtures/eventually.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';

const ZTUNNEL = podObject('istio-system', 'ztunnel-1', { account: 'ztunnel', uid: 'zt-1' });
const OBJECTS = [namespaceObject('istio-system'), namespaceObject('shop'), ZTUNNEL];
const NODE = {
  id: 'ztunnel~10.0.0.1~ztunnel-1.istio-system~istio-system.svc.cluster.local',
  metadata: { NODE_NAME: 'n1', NAMESPACE: 'istio-system' },
};
const ENTRY: ApiObject = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'ServiceEntry',
  metadata: { namespace: 'shop', name: 'bank', uid: 'se-1' },
  spec: {
    hosts: ['bank.example.com'],
    resolution: 'DNS',
    ports: [{ number: 443, name: 'tls', protocol: 'TLS' }],
  },
};
const CONFIG: ApiObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: 'istio-system', name: 'istio', uid: 'cm-1' },
  data: { mesh: 'trustDomain: corp.example\ninboundTrafficPolicy: {}\n' },
};

async function start(...objects: readonly ApiObject[]) {
  const plane = await startTestControlPlane([...OBJECTS, ...objects], (api) => {
    const username = 'system:serviceaccount:istio-system:ztunnel';
    api.tokens.set('zt', { username, pod: { name: 'ztunnel-1', uid: 'zt-1' } });
  });
  const client = plane.connect('zt');
  client.send({ node: NODE, typeUrl: ADDRESS_TYPE });
  return { plane, client, first: await client.next() };
}

function addresses({
  resources,
}: DeltaDiscoveryResponse): Record<string, Address['type']['value']> {
  const decoded = resources.map(({ name, resource }) => [
    name,
    fromBinary(AddressSchema, resource!.value).type.value,
  ]);
  return Object.fromEntries(decoded);
}

test('a ServiceEntry appears with the workload that it stands for, is given addresses, and leaves', async () => {
  const { plane, client } = await start();
  plane.api.put(ENTRY);
  const uid = 'Kubernetes/networking.istio.io/ServiceEntry/shop/bank/bank.example.com';
  expect(addresses(await client.next())).toMatchObject({
    'shop/bank.example.com': { hostname: 'bank.example.com', canonical: true, addresses: [] },
    [uid]: { hostname: 'bank.example.com', workloadName: 'bank' },
  });
  const path = '/apis/networking.istio.io/v1/namespaces/shop/serviceentries/bank/status';
  const written = await eventually(() => plane.api.writes.find((write) => write.path === path));
  const status = written.body.status as { readonly addresses: readonly { value: string }[] };
  expect(status.addresses).toHaveLength(2);
  plane.api.put({ ...ENTRY, status });
  const { 'shop/bank.example.com': service } = addresses(await client.next());
  expect(service).toMatchObject({ addresses: [{ network: '' }, { network: '' }] });
  plane.api.remove(ENTRY);
  expect((await client.next()).removedResources.toSorted()).toEqual([uid, 'shop/bank.example.com']);
});

test('the configuration of the mesh is read from its ConfigMap, and what is not read of it is said once', async () => {
  const { plane, client, first } = await start(CONFIG);
  const pod = 'Kubernetes//Pod/istio-system/ztunnel-1';
  expect(addresses(first)[pod]).toMatchObject({ trustDomain: 'corp.example' });
  plane.api.put({ ...CONFIG, data: { mesh: 'trustDomain: other.example\n' } });
  expect(addresses(await client.next())[pod]).toMatchObject({ trustDomain: 'other.example' });
  plane.api.put({ ...CONFIG, data: { mesh: 'trustDomain: [broken]\n' } });
  await eventually(() => plane.logs.some((line) => line.includes('trustDomain is no text')));
  await client.silence(100);
  const lines = plane.logs.filter(
    (line) => line.includes('not read') && line.includes('inboundTrafficPolicy'),
  );
  expect(lines).toHaveLength(1);
});
