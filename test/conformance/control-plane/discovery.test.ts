import { ADDRESS_TYPE, AUTHORIZATION_TYPE, ENROLLED_POD_TYPE } from '@aquifer/wire';
import { EnrolledPodSchema } from '@aquifer/wire/gen/aquifer/node_pb';
import type { DeltaDiscoveryResponse } from '@aquifer/wire/gen/envoy/service/discovery/v3_pb';
import { fromBinary } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { namespaceObject, podObject, startTestControlPlane } from '../../fixtures/control-plane.ts';
import { eventually } from '../../fixtures/eventually.ts';
import type { ApiObject, ScriptedKubernetesApi } from '../../fixtures/scripted-kubernetes-api.ts';

const ZTUNNEL = podObject('istio-system', 'ztunnel-1', { account: 'ztunnel', uid: 'zt-1' });
const WEB = podObject('shop', 'web', { account: 'web', ip: '10.0.0.2' });
const FAR = podObject('shop', 'far', { node: 'n2', ip: '10.0.1.2' });
const OBJECTS = [
  namespaceObject('istio-system'),
  namespaceObject('shop', { 'istio.io/dataplane-mode': 'ambient' }),
  ZTUNNEL,
  WEB,
  FAR,
];
const NODE = {
  id: 'ztunnel~10.0.0.1~ztunnel-1.istio-system~istio-system.svc.cluster.local',
  metadata: { NODE_NAME: 'n1', NAMESPACE: 'istio-system' },
};
const WEB_UID = 'Kubernetes//Pod/shop/web';

function knowTokens(api: ScriptedKubernetesApi): void {
  const username = 'system:serviceaccount:istio-system:ztunnel';
  api.tokens.set('zt', { username, pod: { name: 'ztunnel-1', uid: 'zt-1' } });
  api.tokens.set('old', { username, pod: { name: 'ztunnel-1', uid: 'zt-0' } });
  api.tokens.set('web', { username: 'system:serviceaccount:shop:web' });
}

function names({ resources }: DeltaDiscoveryResponse): string[] {
  return resources.map(({ name }) => name).toSorted();
}

const start = () => startTestControlPlane(OBJECTS, knowTokens);

test('a wildcard subscription gets everything once, then only what changed (P108)', async () => {
  const plane = await start();
  const client = plane.connect('zt');
  client.send({ node: NODE, typeUrl: ADDRESS_TYPE });
  const first = await client.next();
  expect(names(first)).toEqual([
    'Kubernetes//Pod/istio-system/ztunnel-1',
    'Kubernetes//Pod/shop/far',
    WEB_UID,
  ]);
  client.send({ typeUrl: ADDRESS_TYPE, responseNonce: first.nonce });
  plane.api.put({ ...WEB, metadata: { ...WEB.metadata, labels: { app: 'shop' } } });
  expect(names(await client.next())).toEqual([WEB_UID]);
  plane.api.remove(FAR);
  expect((await client.next()).removedResources).toEqual(['Kubernetes//Pod/shop/far']);
  plane.api.put({
    ...WEB,
    metadata: { ...WEB.metadata, labels: { app: 'shop' }, annotations: { x: 'y' } },
  });
  await client.silence(200);
});

test('a reconnect is told what changed (P110) and what is gone (P111) since its versions', async () => {
  const plane = await start();
  const before = plane.connect('zt');
  before.send({ node: NODE, typeUrl: ADDRESS_TYPE });
  const known = Object.fromEntries(
    (await before.next()).resources.map(({ name, version }) => [name, version]),
  );
  before.close();
  plane.api.remove(FAR);
  await eventually(() => plane.app.publisher.current?.served.addresses.size === 2);
  const after = plane.connect('zt');
  after.send({
    node: NODE,
    typeUrl: ADDRESS_TYPE,
    initialResourceVersions: { ...known, [WEB_UID]: 'stale' },
    resourceNamesSubscribe: ['*'],
  });
  const response = await after.next();
  expect(names(response)).toEqual([WEB_UID]);
  expect(response.removedResources).toEqual(['Kubernetes//Pod/shop/far']);
});

test('policies arrive, and leave, and nobody hears of pods with them (P113)', async () => {
  const plane = await start();
  const policy: ApiObject = {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { namespace: 'shop', name: 'deny-all', uid: 'p1' },
    spec: {},
  };
  const client = plane.connect('zt');
  client.send({ node: NODE, typeUrl: AUTHORIZATION_TYPE });
  expect(names(await client.next())).toEqual([]);
  plane.api.put(policy);
  expect(names(await client.next())).toEqual(['shop/deny-all']);
  plane.api.put({ ...policy, metadata: { ...policy.metadata, name: 'second', uid: 'p2' } });
  expect(names(await client.next())).toEqual(['shop/second']);
  plane.api.put(podObject('shop', 'unrelated', { ip: '10.0.0.9' }));
  await client.silence(200);
  plane.api.remove(policy);
  expect((await client.next()).removedResources).toEqual(['shop/deny-all']);
});

test('a policy that is written again as it was is not sent again (P116)', async () => {
  const plane = await start();
  const strict: ApiObject = {
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { namespace: 'shop', name: 'strict', uid: 'pa' },
    spec: { mtls: { mode: 'STRICT' } },
  };
  const client = plane.connect('zt');
  client.send({ node: NODE, typeUrl: AUTHORIZATION_TYPE });
  expect(names(await client.next())).toEqual([]);
  plane.api.put(strict);
  expect(names(await client.next())).toEqual(['istio-system/istio_converted_static_strict']);
  plane.api.put(strict);
  await client.silence(200);
});

test('of many changes at once each is told, and nothing else (P117)', async () => {
  const plane = await start();
  const client = plane.connect('zt');
  client.send({ node: NODE, typeUrl: ADDRESS_TYPE });
  await client.next();
  const service: ApiObject = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'shop', name: 'svc', uid: 'svc' },
    spec: { clusterIP: '10.96.0.1', ports: [{ name: 'http', port: 80 }] },
  };
  const added = podObject('shop', 'added', { ip: '10.0.0.8' });
  for (const object of [added, podObject('shop', 'second', { ip: '10.0.0.9' }), service]) {
    plane.api.put(object);
  }
  plane.api.remove(FAR);
  const told = { sent: new Set<string>(), removed: new Set<string>() };
  await eventually(async () => {
    const response = await client.next();
    for (const name of names(response)) told.sent.add(name);
    for (const name of response.removedResources) told.removed.add(name);
    return told.sent.size + told.removed.size === 4;
  });
  const pods = ['added', 'second'].map((name) => `Kubernetes//Pod/shop/${name}`);
  expect([...told.sent].toSorted()).toEqual([...pods, 'shop/svc.shop.svc.cluster.local']);
  expect([...told.removed]).toEqual(['Kubernetes//Pod/shop/far']);
  await client.silence(200);
});

test('names on a wildcard subscription have everything sent again, and narrow nothing (P112)', async () => {
  const plane = await start();
  const client = plane.connect('zt');
  client.send({ node: NODE, typeUrl: ADDRESS_TYPE });
  const everything = names(await client.next());
  expect(everything).toHaveLength(3);
  client.send({ typeUrl: ADDRESS_TYPE, resourceNamesSubscribe: [WEB_UID] });
  expect(names(await client.next())).toEqual(everything);
  client.send({ typeUrl: ADDRESS_TYPE, resourceNamesUnsubscribe: [WEB_UID] });
  expect(names(await client.next())).toEqual(everything);
  const other = everything.find((name) => name.endsWith('/far'));
  plane.api.put({ ...FAR, metadata: { ...FAR.metadata, labels: { app: 'shop' } } });
  expect(names(await client.next())).toEqual([other]);
});

test('a node proxy learns only of pods to capture on its own node, and of those that are no more (P150)', async () => {
  const plane = await start();
  const client = plane.connect('zt');
  client.send({ node: NODE, typeUrl: ENROLLED_POD_TYPE });
  const { resources } = await client.next();
  const pods = resources.map(({ resource }) => fromBinary(EnrolledPodSchema, resource!.value));
  expect(pods).toMatchObject([
    { uid: 'uid-web', namespace: 'shop', name: 'web', serviceAccount: 'web' },
  ]);
  plane.api.put(namespaceObject('shop'));
  expect((await client.next()).removedResources).toEqual(['uid-web']);
});

test('a rejected response is logged with the resource and the reason, and the stream goes on', async () => {
  const plane = await start();
  const client = plane.connect('zt');
  client.send({ node: NODE, typeUrl: ADDRESS_TYPE, resourceNamesSubscribe: [WEB_UID] });
  const { nonce } = await client.next();
  client.send({
    typeUrl: ADDRESS_TYPE,
    responseNonce: nonce,
    errorDetail: { message: 'bad address' },
  });
  await eventually(() => plane.logs.some((line) => line.includes('rejected')));
  const line = plane.logs.find((text) => text.includes('rejected'));
  expect(line).toContain(WEB_UID);
  expect(line).toContain('bad address');
  const syncz = await fetch(`http://127.0.0.1:${plane.app.ports.monitoring}/debug/syncz`);
  expect(await syncz.json()).toMatchObject([
    {
      node: { id: NODE.id },
      genericXdsConfigs: [{ typeUrl: ADDRESS_TYPE, configStatus: 'ERROR' }],
    },
  ]);
  plane.api.put({ ...WEB, metadata: { ...WEB.metadata, labels: { app: 'shop' } } });
  expect(names(await client.next())).toEqual([WEB_UID]);
});

test.for([
  { answer: 'an answer to a response that was overtaken', said: { responseNonce: 'overtaken' } },
  { answer: 'a rejection', said: { errorDetail: { message: 'bad policy' } } },
])('names that come with $answer are answered', async ({ said }) => {
  const plane = await start();
  const client = plane.connect('zt');
  client.send({ node: NODE, typeUrl: ADDRESS_TYPE, resourceNamesSubscribe: ['shop/nothing'] });
  const { nonce } = await client.next();
  client.send({
    ...{ typeUrl: ADDRESS_TYPE, responseNonce: nonce },
    ...{ resourceNamesSubscribe: [WEB_UID], ...said },
  });
  expect(names(await client.next())).toEqual([WEB_UID]);
});

test.for([
  { who: 'an unknown token', token: 'nobody', node: NODE, code: status.UNAUTHENTICATED },
  { who: 'a token of a replaced pod', token: 'old', node: NODE, code: status.PERMISSION_DENIED },
  { who: 'a token of another namespace', token: 'web', node: NODE, code: status.PERMISSION_DENIED },
  {
    who: 'a proxy that claims another node',
    token: 'zt',
    node: { ...NODE, metadata: { NODE_NAME: 'n2' } },
    code: status.PERMISSION_DENIED,
  },
  { who: 'a proxy without an id', token: 'zt', node: {}, code: status.INVALID_ARGUMENT },
])('$who is refused', async ({ token, node, code }) => {
  const plane = await start();
  const client = plane.connect(token);
  client.send({ node, typeUrl: ADDRESS_TYPE });
  await expect(client.next()).rejects.toMatchObject({ code });
});

test('the plaintext port serves addresses but never the pods to capture', async () => {
  const plane = await start();
  const client = plane.connect(null);
  client.send({ node: NODE, typeUrl: ADDRESS_TYPE });
  expect((await client.next()).resources).toHaveLength(3);
  client.send({ typeUrl: ENROLLED_POD_TYPE });
  expect((await client.next()).resources).toEqual([]);
});

test('what is served survives an API that goes away, drops watches, and forgets versions', async () => {
  const plane = await start();
  const client = plane.connect('zt');
  client.send({ node: NODE, typeUrl: ADDRESS_TYPE });
  await client.next();
  plane.api.dropWatches();
  plane.api.put(podObject('shop', 'second', { ip: '10.0.0.3' }));
  expect(names(await client.next())).toEqual(['Kubernetes//Pod/shop/second']);
  plane.api.expireVersions();
  plane.api.remove(FAR);
  expect((await client.next()).removedResources).toEqual(['Kubernetes//Pod/shop/far']);
  await plane.api.stop();
  const other = plane.connect(null);
  other.send({ node: NODE, typeUrl: ADDRESS_TYPE });
  expect((await other.next()).resources).toHaveLength(3);
});

test('kinds without a CRD are tolerated, and picked up once it is there', async () => {
  const plane = await startTestControlPlane(OBJECTS, (api) => {
    knowTokens(api);
    api.absentGroups.add('security.istio.io/v1');
  });
  const client = plane.connect('zt');
  client.send({ node: NODE, typeUrl: AUTHORIZATION_TYPE });
  expect((await client.next()).resources).toEqual([]);
  plane.api.absentGroups.clear();
  plane.api.put({
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { namespace: 'shop', name: 'strict', uid: 'pa' },
    spec: { mtls: { mode: 'STRICT' } },
  });
  expect(names(await client.next())).toEqual(['istio-system/istio_converted_static_strict']);
});

test('an object that cannot be read keeps the others served, and its own last good state', async () => {
  const plane = await start();
  const client = plane.connect('zt');
  client.send({ node: NODE, typeUrl: ADDRESS_TYPE });
  await client.next();
  plane.api.put({ ...WEB, status: { podIPs: 'not a list' } });
  plane.api.put(podObject('shop', 'second', { ip: '10.0.0.3' }));
  expect(names(await client.next())).toEqual(['Kubernetes//Pod/shop/second']);
  expect(plane.app.publisher.current?.served.addresses.has(WEB_UID)).toBe(true);
  expect(plane.logs.some((line) => line.includes('shop/web'))).toBe(true);
});
