import { readFileSync } from 'node:fs';
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from '@aquifer/wire';
import { ClusterLoadAssignmentSchema } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import type { DeltaDiscoveryResponse } from '@aquifer/wire/gen/envoy/service/discovery/v3_pb';
import { fromBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { startTestControlPlane } from '../../fixtures/control-plane.ts';
import type { DeltaClient } from '../../fixtures/discovery-client.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';

const RECORDING = new URL(
  '../../fixtures/golden/l7/02-base-sidecar-client/objects.json',
  import.meta.url,
);
const CART = 'outbound|80||cart.shop.svc.cluster.local';

function nodeOf(pod: string, ip: string) {
  return {
    id: `sidecar~${ip}~${pod}.shop~shop.svc.cluster.local`,
    metadata: { NAMESPACE: 'shop', LABELS: { app: 'web' } },
  };
}

const WEB = nodeOf('web-1', '10.1.0.2');

function names({ resources }: DeltaDiscoveryResponse): string[] {
  return resources.map(({ name }) => name).toSorted();
}

async function startMesh() {
  const objects = JSON.parse(readFileSync(RECORDING, 'utf8')) as ApiObject[];
  const plane = await startTestControlPlane(objects, ({ tokens }) => {
    tokens.set('web', { username: 'system:serviceaccount:shop:web' });
  });
  const find = (kind: string, name: string): ApiObject =>
    objects.find((object) => object.kind === kind && object.metadata.name === name)!;
  return { plane, find, client: plane.connect('web') };
}

async function ask(
  client: DeltaClient,
  typeUrl: string,
  resourceNamesSubscribe: string[] = [],
): Promise<string[]> {
  client.send({ node: WEB, typeUrl, resourceNamesSubscribe });
  return names(await client.next());
}

test('a sidecar gets clusters and listeners, and the endpoints and routes that it names', async () => {
  const { client } = await startMesh();
  expect(await ask(client, CLUSTER_TYPE)).toContain(CART);
  expect(await ask(client, ENDPOINT_TYPE, [CART])).toEqual([CART]);
  expect(await ask(client, LISTENER_TYPE)).toEqual([
    '0.0.0.0_80',
    '10.96.0.10_7000',
    '10.96.0.10_9000',
    'connect_originate',
    'virtualInbound',
    'virtualOutbound',
  ]);
  expect(await ask(client, ROUTE_TYPE, ['80'])).toEqual(['80']);
});

test('a sidecar is told what changes of what it has, and nothing else', async () => {
  const { client, plane, find } = await startMesh();
  await ask(client, CLUSTER_TYPE);
  await ask(client, ENDPOINT_TYPE, [CART]);
  await ask(client, LISTENER_TYPE);
  await ask(client, ROUTE_TYPE, ['80']);
  const pod = find('Pod', 'cart-2');
  const status = { ...(pod.status as object), podIP: '10.1.0.77', podIPs: [{ ip: '10.1.0.77' }] };
  plane.api.put({ ...pod, status });
  const moved = await client.next();
  expect([moved.typeUrl, names(moved)]).toEqual([ENDPOINT_TYPE, [CART]]);
  const { endpoints } = fromBinary(
    ClusterLoadAssignmentSchema,
    moved.resources[0]!.resource!.value,
  );
  expect(endpoints[0]?.lbEndpoints).toHaveLength(2);
  const [service] = [find('Service', 'cart')];
  const metadata = { ...service.metadata, name: 'stock', uid: 'stock' };
  const spec = { ...(service.spec as object), clusterIP: '10.96.0.11', clusterIPs: ['10.96.0.11'] };
  plane.api.put({ ...service, metadata, spec });
  const changed = [await client.next(), await client.next(), await client.next()];
  expect(changed.map((response) => [response.typeUrl, names(response)])).toEqual([
    [
      CLUSTER_TYPE,
      [7000, 80, 9000].map((port) => `outbound|${port}||stock.shop.svc.cluster.local`),
    ],
    [LISTENER_TYPE, ['10.96.0.11_7000', '10.96.0.11_9000']],
    [ROUTE_TYPE, ['80']],
  ]);
  await client.silence(200);
});

test('sidecars that are alike are served the same bytes, and one that differs its own', async () => {
  const { client, plane } = await startMesh();
  await ask(client, CLUSTER_TYPE);
  const versions = async (node: ReturnType<typeof nodeOf>, typeUrl: string) => {
    const other = plane.connect('web');
    other.send({ node, typeUrl });
    const { resources } = await other.next();
    return new Map(resources.map(({ name, version }) => [name, version]));
  };
  const clusters = await versions(WEB, CLUSTER_TYPE);
  expect(await versions(nodeOf('web-2', '10.1.0.3'), CLUSTER_TYPE)).toEqual(clusters);
  const server = await versions(nodeOf('cart-1', '10.1.0.11'), CLUSTER_TYPE);
  expect(server.get(CART)).toBe(clusters.get(CART));
  expect(server.has('inbound|8080||')).toBe(true);
  expect(clusters.has('inbound|8080||')).toBe(false);
});
