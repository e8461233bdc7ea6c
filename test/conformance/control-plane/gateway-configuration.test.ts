import { readFileSync } from 'node:fs';
import { CLUSTER_TYPE, LISTENER_TYPE, ROUTE_TYPE } from '@aquifer/wire';
import { RouteConfigurationSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { fromBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { startTestControlPlane } from '../../fixtures/control-plane.ts';
import type { DeltaClient } from '../../fixtures/discovery-client.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';

const RECORDING = new URL('../../fixtures/golden/l7/19-gw-http-tcp/objects.json', import.meta.url);
const GATEWAY = {
  id: 'router~10.1.0.8~ingressgateway-0.edge~edge.svc.cluster.local',
  metadata: { NAMESPACE: 'edge', LABELS: { istio: 'ingressgateway' } },
};
const TABLE = 'http.8081';

async function startMesh() {
  const objects = JSON.parse(readFileSync(RECORDING, 'utf8')) as ApiObject[];
  const plane = await startTestControlPlane(objects, ({ tokens }) => {
    tokens.set('edge', { username: 'system:serviceaccount:edge:ingressgateway' });
  });
  const find = (kind: string, name: string): ApiObject =>
    objects.find((object) => object.kind === kind && object.metadata.name === name)!;
  return { plane, find, client: plane.connect('edge') };
}

async function ask(client: DeltaClient, typeUrl: string, resourceNamesSubscribe: string[] = []) {
  client.send({ node: GATEWAY, typeUrl, resourceNamesSubscribe });
  const { resources } = await client.next();
  return resources.map(({ name }) => name).toSorted();
}

test('a gateway gets the listeners of its servers, and the routes that they name', async () => {
  const { client } = await startMesh();
  expect(await ask(client, CLUSTER_TYPE)).toContain('outbound|80||cart.shop.svc.cluster.local');
  expect(await ask(client, LISTENER_TYPE)).toEqual([
    '0.0.0.0_8080',
    '0.0.0.0_8081',
    '0.0.0.0_9000',
    'connect_originate',
  ]);
  expect(await ask(client, ROUTE_TYPE, [TABLE])).toEqual([TABLE]);
});

test('a VirtualService that leaves a gateway leaves its routes, and only there something changes', async () => {
  const { client, plane, find } = await startMesh();
  await ask(client, CLUSTER_TYPE);
  await ask(client, LISTENER_TYPE);
  await ask(client, ROUTE_TYPE, [TABLE]);
  const service = find('VirtualService', 'two');
  plane.api.put({ ...service, spec: { ...(service.spec as object), gateways: ['mesh'] } });
  const { typeUrl, resources } = await client.next();
  expect([typeUrl, resources.map(({ name }) => name)]).toEqual([ROUTE_TYPE, [TABLE]]);
  const { virtualHosts } = fromBinary(RouteConfigurationSchema, resources[0]!.resource!.value);
  // Plaintext is still redirected.
  expect(virtualHosts.map(({ domains, routes }) => [domains, routes.length])).toEqual([
    [['c.test'], 0],
  ]);
  await client.silence(200);
});
