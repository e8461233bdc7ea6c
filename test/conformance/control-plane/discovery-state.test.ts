import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE } from '@aquifer/wire';
import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ClusterLoadAssignmentSchema } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import type { DiscoveryResponse } from '@aquifer/wire/gen/envoy/service/discovery/v3_pb';
import { fromBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { eventually } from '../../fixtures/eventually.ts';
import { CART, NODE, STOCK, startRecordedWaypoint } from '../../fixtures/recorded-waypoint.ts';

/** State-of-the-world ADS, as gRPC's own xDS clients and older Envoys speak it. */
const OWN = ['connect_originate', 'encap', 'main_internal'];

async function start() {
  const { plane, find } = await startRecordedWaypoint();
  const client = plane.connectForState('wp');
  const changed = (): void => {
    const pod = find('Pod', 'stock-1');
    plane.api.put({
      ...pod,
      status: { ...(pod.status as object), podIP: '10.1.0.99', podIPs: [] },
    });
  };
  return { plane, find, client, changed };
}

function clusters({ resources }: DiscoveryResponse): string[] {
  return resources.map(({ value }) => fromBinary(ClusterSchema, value).name).toSorted();
}

function endpoints({ resources }: DiscoveryResponse): string[] {
  const names = resources.map(({ value }) => fromBinary(ClusterLoadAssignmentSchema, value));
  return names.map(({ clusterName }) => clusterName).toSorted();
}

test('clusters come all together, also when one of them goes', async () => {
  const { client, find, plane } = await start();
  client.send({ node: NODE, typeUrl: CLUSTER_TYPE });
  const { nonce, versionInfo, resources } = await client.next();
  expect(clusters({ resources } as DiscoveryResponse)).toEqual([...OWN, CART, STOCK].toSorted());
  expect(versionInfo).not.toBe('');
  client.send({ typeUrl: CLUSTER_TYPE, responseNonce: nonce, versionInfo });
  plane.api.remove(find('Service', 'stock'));
  expect(clusters(await client.next())).toEqual([...OWN, CART].toSorted());
});

test('endpoints are sent of the names that were asked for, and of those only that have changed', async () => {
  const { client, changed } = await start();
  client.send({ node: NODE, typeUrl: ENDPOINT_TYPE, resourceNames: [CART] });
  const first = await client.next();
  expect(endpoints(first)).toEqual([CART]);
  client.send({ typeUrl: ENDPOINT_TYPE, responseNonce: first.nonce, resourceNames: [CART] });
  changed();
  await client.silence(500);
  client.send({ typeUrl: ENDPOINT_TYPE, responseNonce: first.nonce, resourceNames: [CART, STOCK] });
  const second = await client.next();
  expect(endpoints(second)).toEqual([CART, STOCK]);
  client.send({ typeUrl: ENDPOINT_TYPE, responseNonce: second.nonce, resourceNames: [STOCK] });
  await client.silence(200);
});

test('an acknowledgement is not answered, nor is one of something else than the last response', async () => {
  const { client } = await start();
  client.send({ node: NODE, typeUrl: LISTENER_TYPE });
  const { nonce } = await client.next();
  client.send({ typeUrl: LISTENER_TYPE, responseNonce: 'another', resourceNames: ['x'] });
  client.send({ typeUrl: LISTENER_TYPE, responseNonce: nonce });
  await expect(client.silence(300)).resolves.toBeUndefined();
});

test('a rejected response is logged, shown, and not sent again', async () => {
  const { client, plane } = await start();
  client.send({ node: NODE, typeUrl: CLUSTER_TYPE });
  const { nonce } = await client.next();
  client.send({
    typeUrl: CLUSTER_TYPE,
    responseNonce: nonce,
    errorDetail: { message: 'bad cluster' },
  });
  await eventually(() => plane.logs.some((line) => line.includes('bad cluster')));
  await client.silence(200);
  const syncz = await fetch(`http://127.0.0.1:${plane.app.ports.monitoring}/debug/syncz`);
  expect(await syncz.json()).toMatchObject([
    { genericXdsConfigs: [{ typeUrl: CLUSTER_TYPE, configStatus: 'ERROR' }] },
  ]);
});

test('a type that nobody serves is answered with nothing, so that the client goes on', async () => {
  const { client } = await start();
  client.send({
    node: NODE,
    typeUrl: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  });
  expect((await client.next()).resources).toEqual([]);
});
