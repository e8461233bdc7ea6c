import { AUTHORIZATION_TYPE } from '@aquifer/wire';
import { expect, test } from 'vitest';
import { namespaceObject, podObject, startTestControlPlane } from '../../fixtures/control-plane.ts';
import { eventually } from '../../fixtures/eventually.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';

/** What the control plane makes of a Kubernetes API, or of something in front of it, that answers wrongly. */
const POLICIES = '/apis/security.istio.io/v1/authorizationpolicies';
const PODS = '/api/v1/pods';
const DENY: ApiObject = {
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { namespace: 'shop', name: 'deny', uid: 'deny' },
  spec: { action: 'DENY', rules: [{ from: [{ source: { namespaces: ['outside'] } }] }] },
};
const OBJECTS = [namespaceObject('istio-system'), namespaceObject('shop'), DENY];
const NODE = { id: 'ztunnel~10.0.0.1~ztunnel-1.istio-system~istio-system.svc.cluster.local' };

async function start() {
  const plane = await startTestControlPlane(OBJECTS);
  const client = plane.connect(null);
  client.send({ node: NODE, typeUrl: AUTHORIZATION_TYPE });
  expect((await client.next()).resources.map(({ name }) => name)).toEqual(['shop/deny']);
  return { ...plane, client };
}

test.for(['not found', 'no list'] as const)(
  'policies stay in force while something in front of the API answers their lists wrongly (%s)',
  async (how) => {
    const { api, client, logs } = await start();
    api.interceptions.set(POLICIES, how);
    api.expireVersions();
    await eventually(() => logs.some((line) => line.includes('kind="AuthorizationPolicy"')));
    await client.silence(500);
    api.interceptions.clear();
    api.put({ ...DENY, metadata: { ...DENY.metadata, name: 'second', uid: 'second' } });
    const next = await client.next();
    expect(next.resources.map(({ name }) => name)).toEqual(['shop/second']);
    expect(next.removedResources).toEqual([]);
  },
);

test('an API that knows the last version no more, as after a restore, is read anew', async () => {
  const { api, client } = await start();
  api.startFromBackup();
  api.put({ ...DENY, metadata: { ...DENY.metadata, name: 'second', uid: 'second' } });
  const next = await client.next();
  expect(next.resources.map(({ name }) => name)).toEqual(['shop/second']);
});

test('nothing is served to begin with while a kind is answered with 404 though its definition exists', async () => {
  const starting = startTestControlPlane(OBJECTS, (api) => {
    api.interceptions.set(POLICIES, 'not found');
    setTimeout(() => api.interceptions.clear(), 1000);
  });
  const client = (await starting).connect(null);
  client.send({ node: NODE, typeUrl: AUTHORIZATION_TYPE });
  expect((await client.next()).resources.map(({ name }) => name)).toEqual(['shop/deny']);
});

test('a kind whose definition is too old to have our version holds up nobody', async () => {
  const plane = await startTestControlPlane(OBJECTS, (api) => {
    api.interceptions.set('/apis/gateway.networking.k8s.io/v1/grpcroutes', 'not found');
    api.put({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'grpcroutes.gateway.networking.k8s.io' },
      spec: { versions: [{ name: 'v1alpha2', served: true }] },
    });
  });
  const client = plane.connect(null);
  client.send({ node: NODE, typeUrl: AUTHORIZATION_TYPE });
  expect((await client.next()).resources.map(({ name }) => name)).toEqual(['shop/deny']);
  expect(plane.logs.join('\n')).toContain('kind is not installed: it is not read');
});

test('policies go when the API says that their definition is gone', async () => {
  const { api, client } = await start();
  api.absentGroups.add('security.istio.io/v1');
  api.expireVersions();
  expect((await client.next()).removedResources).toEqual(['shop/deny']);
});

test.for(['watch expired', 'watch refused'] as const)(
  'a watch that always fails (%s) costs a list or a watch every now and then, not an endless stream of them',
  async (how) => {
    const plane = await startTestControlPlane(OBJECTS, (api) => {
      api.interceptions.set(PODS, how);
    });
    const before = plane.api.reads.length;
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const asked = plane.api.reads.slice(before).filter((read) => read.startsWith(`${PODS}?`));
    expect(asked.length).toBeLessThan(15);
    expect(asked.length).toBeGreaterThan(0);
    const lists = asked.filter((read) => !read.includes('watch=true'));
    if (how === 'watch refused') expect(lists).toEqual([]);
    plane.api.interceptions.clear();
    plane.api.put(podObject('shop', 'late'));
    const known = () =>
      plane.app.publisher.current?.served.addresses.has('Kubernetes//Pod/shop/late');
    await eventually(known, { timeoutMs: 15_000 });
  },
);
