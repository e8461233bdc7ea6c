import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE } from '@aquifer/wire';
import type { DeltaDiscoveryResponse } from '@aquifer/wire/gen/envoy/service/discovery/v3_pb';
import { expect, test } from 'vitest';
import type { DeltaClient } from '../../fixtures/discovery-client.ts';
import {
  CART,
  LISTENERS,
  NODE,
  STOCK,
  startRecordedWaypoint,
} from '../../fixtures/recorded-waypoint.ts';

function names({ resources }: DeltaDiscoveryResponse): string[] {
  return resources.map(({ name }) => name).toSorted();
}

async function startWaypoint() {
  const { plane, find } = await startRecordedWaypoint();
  return { plane, find, client: plane.connect('wp') };
}

async function subscribe(client: DeltaClient, typeUrl: string): Promise<string[]> {
  client.send({ node: NODE, typeUrl });
  return names(await client.next());
}

test('a waypoint gets the clusters, endpoints and listeners of the Services bound to it', async () => {
  const { client } = await startWaypoint();
  expect(await subscribe(client, CLUSTER_TYPE)).toEqual(
    ['connect_originate', 'encap', 'main_internal', CART, STOCK].toSorted(),
  );
  expect(await subscribe(client, ENDPOINT_TYPE)).toEqual([CART, STOCK]);
  expect(await subscribe(client, LISTENER_TYPE)).toEqual(LISTENERS);
});

test('a pod that moves is sent as endpoints of its Service, a route as a listener', async () => {
  const { client, find, plane } = await startWaypoint();
  for (const type of [CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE]) await subscribe(client, type);
  const pod = find('Pod', 'stock-1');
  const status = {
    ...(pod.status as object),
    podIP: '10.1.0.77',
    podIPs: [{ ip: '10.1.0.77' }],
  };
  plane.api.put({ ...pod, status });
  const moved = await client.next();
  expect([moved.typeUrl, names(moved)]).toEqual([ENDPOINT_TYPE, [STOCK]]);
  plane.api.remove(find('HTTPRoute', 'r'));
  const rerouted = await client.next();
  expect([rerouted.typeUrl, names(rerouted)]).toEqual([LISTENER_TYPE, ['main_internal']]);
  await client.silence(200);
});

test('an entry of a workload that nobody behind the waypoint has to do with is no news to it (P118)', async () => {
  const { client, plane } = await startWaypoint();
  await subscribe(client, LISTENER_TYPE);
  const outsider = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    metadata: { namespace: 'default', name: 'outsider', uid: 'outsider' },
    spec: { address: '192.0.2.7', labels: { app: 'outsider' } },
  };
  plane.api.put(outsider);
  plane.api.put({ ...outsider, spec: { ...outsider.spec, address: '192.0.2.8' } });
  await client.silence(300);
  plane.api.put({
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: {
      namespace: 'shop',
      name: 'bound',
      uid: 'bound',
      labels: { 'istio.io/use-waypoint': 'waypoint' },
    },
    spec: {
      hosts: ['bound.test'],
      addresses: ['192.0.2.99'],
      resolution: 'STATIC',
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
    },
  });
  const { typeUrl, resources } = await client.next();
  expect([typeUrl, resources.map(({ name }) => name)]).toEqual([LISTENER_TYPE, ['main_internal']]);
});

test('names that come while nothing is known of the proxy are answered later', async () => {
  const { plane, find } = await startRecordedWaypoint();
  const client = plane.connect('wp');
  client.send({ node: NODE, typeUrl: ENDPOINT_TYPE, resourceNamesSubscribe: [CART] });
  await client.next();
  plane.api.remove(find('Pod', 'waypoint-0'));
  await client.silence(200);
  client.send({ typeUrl: ENDPOINT_TYPE, resourceNamesSubscribe: [STOCK] });
  await client.silence(100);
  plane.api.put(find('Pod', 'waypoint-0'));
  expect((await client.next()).resources.map(({ name }) => name)).toEqual([CART, STOCK]);
});

test('a pod that is no waypoint gets none of it', async () => {
  const { client } = await startWaypoint();
  const node = { ...NODE, id: 'waypoint~10.1.0.11~cart-1.shop~shop.svc.cluster.local' };
  client.send({ node, typeUrl: LISTENER_TYPE });
  expect(names(await client.next())).toEqual([]);
});

test.for([
  { who: 'Istio’s build of Envoy', metadata: { ISTIO_VERSION: '1.31.0' }, factory: 'istio' },
  { who: 'any other Envoy', metadata: {}, factory: 'envoy' },
])('$who is told of the factory that it has', async ({ metadata, factory }) => {
  const { client } = await startWaypoint();
  const node = { ...NODE, metadata: { ...NODE.metadata, ...metadata } };
  client.send({ node, typeUrl: LISTENER_TYPE });
  const { resources } = await client.next();
  const text = resources
    .map(({ resource }) => Buffer.from(resource!.value).toString('latin1'))
    .join();
  expect(new Set(text.match(/\w+\.hashable_string/g))).toEqual(
    new Set([`${factory}.hashable_string`]),
  );
});
