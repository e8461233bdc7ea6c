/** Keys go to the proxy that has proved whose it is, over its own streams (spec l7 7.4). */
import { readFileSync } from 'node:fs';
import { CLUSTER_TYPE, SECRET_TYPE } from '@aquifer/wire';
import { expect, test } from 'vitest';
import { type RunningControlPlane, startTestControlPlane } from '../../fixtures/control-plane.ts';
import type { DeltaClient } from '../../fixtures/discovery-client.ts';
import { eventually } from '../../fixtures/eventually.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';

const RECORDING = new URL(
  '../../fixtures/golden/l7/21-gwapi-gateway/objects.json',
  import.meta.url,
);
const GATEWAY_CLASS: ApiObject = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'GatewayClass',
  metadata: { name: 'istio' },
  spec: { controllerName: 'istio.io/gateway-controller' },
};
const NODE = { id: 'router~10.1.0.7~front-istio-0.edge~edge.svc.cluster.local' };
const KEY = 'kubernetes-gateway://certs/site';

const RECORDED = JSON.parse(readFileSync(RECORDING, 'utf8')) as ApiObject[];
const GRANT = RECORDED.find(({ kind }) => kind === 'ReferenceGrant')!;

function start(): Promise<RunningControlPlane> {
  const objects = RECORDED.map((object) =>
    object.kind === 'Pod' && object.metadata.namespace === 'edge'
      ? { ...object, spec: { ...(object.spec as object), serviceAccountName: 'front-istio' } }
      : object,
  );
  return startTestControlPlane([GATEWAY_CLASS, ...objects], ({ tokens }) => {
    tokens.set('front', { username: 'system:serviceaccount:edge:front-istio' });
    tokens.set('other', { username: 'system:serviceaccount:edge:other' });
  });
}

/** The names of the resources in the next answer. */
async function ask(client: DeltaClient, typeUrl: string, names: string[]): Promise<string[]> {
  client.send({ node: NODE, typeUrl, resourceNamesSubscribe: names });
  const { resources } = await client.next();
  return resources.map(({ name }) => name);
}

test.for([
  { who: 'nobody has proved anything', token: null },
  { who: 'another account has', token: 'other' },
])(
  'a stream under the name of a gateway on which $who gets no keys, and takes none from the gateway',
  async ({ token }) => {
    const plane = await start();
    const gateway = plane.connect('front');
    await ask(gateway, CLUSTER_TYPE, []);
    expect(await ask(gateway, SECRET_TYPE, [KEY])).toEqual([KEY]);
    const stranger = plane.connect(token);
    await ask(stranger, CLUSTER_TYPE, []);
    expect(await ask(stranger, SECRET_TYPE, [KEY])).toEqual([]);
    await gateway.silence(300);
    // A gateway connects again every half hour.
    const again = plane.connect('front');
    await ask(again, CLUSTER_TYPE, []);
    expect(await ask(again, SECRET_TYPE, [KEY])).toEqual([KEY]);
    await stranger.silence(300);
  },
);

test('a key whose grant is withdrawn is taken from the gateway, and given to no stream that comes later', async () => {
  const plane = await start();
  const gateway = plane.connect('front');
  await ask(gateway, CLUSTER_TYPE, []);
  expect(await ask(gateway, SECRET_TYPE, [KEY])).toEqual([KEY]);
  plane.api.remove(GRANT);
  await eventually(async () => (await gateway.next()).removedResources.includes(KEY));
  const later = plane.connectForState('front');
  later.send({ node: NODE, typeUrl: CLUSTER_TYPE });
  await later.next();
  later.send({ node: NODE, typeUrl: SECRET_TYPE, resourceNames: [KEY] });
  expect((await later.next()).resources).toEqual([]);
});
