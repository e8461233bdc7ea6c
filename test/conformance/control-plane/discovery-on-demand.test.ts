import { ADDRESS_TYPE } from '@aquifer/wire';
import type { DeltaDiscoveryResponse } from '@aquifer/wire/gen/envoy/service/discovery/v3_pb';
import { expect, test } from 'vitest';
import {
  namespaceObject,
  podObject,
  type RunningControlPlane,
  startTestControlPlane,
} from '../../fixtures/control-plane.ts';
import type { DeltaClient } from '../../fixtures/discovery-client.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';

const NODE = {
  id: 'ztunnel~10.0.0.1~ztunnel-1.istio-system~istio-system.svc.cluster.local',
  metadata: { NODE_NAME: 'n1', NAMESPACE: 'istio-system' },
};
const FAR = podObject('shop', 'far', { node: 'n2', ip: '10.0.1.2' });
const OTHER = podObject('shop', 'other', { node: 'n2', ip: '10.0.1.3' });
const NEAR = podObject('shop', 'near', { node: 'n1', ip: '10.0.0.2' });
const uid = (name: string) => `Kubernetes//Pod/shop/${name}`;
const KEY = 'shop/far.shop.svc.cluster.local';

function service(selector: Record<string, string>): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'shop', name: 'far', uid: 'far' },
    spec: {
      ...{ clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1'], selector },
      ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
    },
  };
}

function told({ resources, removedResources }: DeltaDiscoveryResponse) {
  return {
    resources: resources.map(({ name }) => name).toSorted(),
    removed: removedResources.toSorted(),
  };
}

/** A stream on demand that nothing was asked of. */
async function open(objects: readonly ApiObject[], versions: Record<string, string> = {}) {
  const plane = await startTestControlPlane([namespaceObject('shop'), ...objects]);
  const { client, first } = await openStream(plane, versions);
  return { plane, client, first };
}

async function openStream(plane: RunningControlPlane, versions: Record<string, string>) {
  const client = plane.connect(null);
  client.send({
    ...{ node: NODE, typeUrl: ADDRESS_TYPE },
    ...{ resourceNamesSubscribe: ['*'], resourceNamesUnsubscribe: ['*'] },
    initialResourceVersions: versions,
  });
  const first = await client.next();
  return { client, first };
}

function ask(client: DeltaClient, ...names: string[]): Promise<DeltaDiscoveryResponse> {
  client.send({ typeUrl: ADDRESS_TYPE, resourceNamesSubscribe: names });
  return client.next();
}

test('a stream on demand begins with nothing, and nobody hears of pods elsewhere (P101)', async () => {
  const { plane, client, first } = await open([]);
  expect(told(first)).toEqual({ resources: [], removed: [] });
  plane.api.put(FAR);
  await client.silence(300);
});

test('a pod is found by its address, and says by which names (P102)', async () => {
  const { client } = await open([FAR]);
  const found = await ask(client, '/10.0.1.2');
  expect(told(found)).toEqual({ resources: [uid('far')], removed: [] });
  expect(found.resources[0]?.aliases).toEqual(['/10.0.1.2']);
});

test.for(['/10.0.1.2', uid('far')])(
  'where there is no %s that is said, and it comes when it is (P103)',
  async (name) => {
    const { plane, client } = await open([]);
    expect(told(await ask(client, name))).toEqual({ resources: [], removed: [name] });
    plane.api.put(FAR);
    expect(told(await client.next())).toEqual({ resources: [uid('far')], removed: [] });
    plane.api.remove(FAR);
    expect(told(await client.next())).toEqual({ resources: [], removed: [uid('far')] });
    plane.api.put(FAR);
    expect(told(await client.next()).resources).toEqual([uid('far')]);
  },
);

test('pods of the proxy’s own node come unasked (P104)', async () => {
  const { plane, client, first } = await open([NEAR]);
  expect(told(first)).toEqual({ resources: [uid('near')], removed: [] });
  plane.api.put(podObject('shop', 'second', { node: 'n1', ip: '10.0.0.3' }));
  expect(told(await client.next()).resources).toEqual([uid('second')]);
  plane.api.remove(NEAR);
  expect(told(await client.next()).removed).toEqual([uid('near')]);
});

test.for(['/10.96.0.1', KEY])(
  'a service comes with its pods when %s is asked for',
  async (name) => {
    const { plane, client } = await open([FAR, OTHER, service({ app: 'far' })]);
    const found = await ask(client, name);
    expect(told(found)).toEqual({ resources: [uid('far'), KEY].toSorted(), removed: [] });
    expect(found.resources.find((each) => each.name === KEY)?.aliases).toEqual(['/10.96.0.1']);
    plane.api.put(podObject('shop', 'new', { node: 'n2', ip: '10.0.1.9', labels: { app: 'far' } }));
    expect(told(await client.next()).resources).toEqual([uid('new')]);
  },
);

test('a service that comes to be brings the pods that the proxy has, not itself (P105), and so does one that leaves them (P107)', async () => {
  const { plane, client } = await open([FAR]);
  await ask(client, '/10.0.1.2');
  plane.api.put(service({ app: 'far' }));
  expect(told(await client.next())).toEqual({ resources: [uid('far')], removed: [] });
  plane.api.put(service({ app: 'else' }));
  expect(told(await client.next())).toEqual({ resources: [uid('far')], removed: [] });
  plane.api.put(service({ app: 'far' }));
  expect(told(await client.next())).toEqual({ resources: [uid('far')], removed: [] });
  plane.api.remove(service({ app: 'far' }));
  expect(told(await client.next())).toEqual({ resources: [uid('far')], removed: [] });
});

test('a VIP that was asked for in vain brings its service and all its pods', async () => {
  const { plane, client } = await open([FAR]);
  expect(told(await ask(client, '/10.96.0.1')).removed).toEqual(['/10.96.0.1']);
  plane.api.put(service({ app: 'far' }));
  expect(told(await client.next()).resources).toEqual([uid('far'), KEY].toSorted());
});

test('what was unsubscribed from is not followed', async () => {
  const { plane, client } = await open([FAR, OTHER]);
  await ask(client, '/10.0.1.2', '/10.0.1.3');
  client.send({ typeUrl: ADDRESS_TYPE, resourceNamesUnsubscribe: ['/10.0.1.2', uid('far')] });
  await client.silence(100);
  plane.api.remove(FAR);
  plane.api.remove(OTHER);
  expect(told(await client.next()).removed).toEqual([uid('other')]);
});

test('a stream that comes back is sent what differs from the versions it has (P110)', async () => {
  const { plane, client } = await open([FAR, OTHER]);
  const [found] = (await ask(client, '/10.0.1.2')).resources;
  const { first } = await openStream(plane, {
    ...{ [uid('far')]: found!.version, [uid('other')]: 'old' },
    ...{ '/10.0.1.2': '', '/10.0.9.9': '', [uid('gone')]: '1' },
  });
  expect(told(first)).toEqual({
    resources: [uid('other')],
    removed: ['/10.0.9.9', uid('gone')].toSorted(),
  });
});

test('a stream that comes back with names of another time, and no versions, is sent what they mean (P109)', async () => {
  const { first } = await open([FAR, OTHER], { '/10.0.1.2': '', '/10.0.1.3': '' });
  expect(told(first)).toEqual({ resources: [uid('far'), uid('other')].toSorted(), removed: [] });
});
