import { setTimeout as delay } from 'node:timers/promises';
import { KubernetesApi, startControlPlane } from '@aquifer/control-plane';
import type {
  AuthorizationPolicy,
  Deployment,
  Gateway,
  ServiceAccount,
} from '@aquifer/model/resources';
import { createLogger } from '@aquifer/runtime';
import { ADDRESS_TYPE } from '@aquifer/wire';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { WriterLease } from '../../../packages/control-plane/src/reconcile/lease.ts';
import { type ClusterApi, startClusterApi } from '../../fixtures/cluster-api.ts';
import { controlPlaneConfig } from '../../fixtures/deployed-cluster.ts';
import { DeltaClient } from '../../fixtures/discovery-client.ts';
import { eventually } from '../../fixtures/eventually.ts';

/** Several control planes at one API, and objects of users in their way. */
const GATEWAYS = '/apis/gateway.networking.k8s.io/v1/namespaces/default/gateways';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const ACCOUNTS = '/api/v1/namespaces/default/serviceaccounts';
const silent = createLogger('test', { format: 'plain', write: () => undefined });
let cluster: ClusterApi;
let admin: KubernetesApi;

beforeAll(async () => {
  cluster = await startClusterApi();
  admin = KubernetesApi.fromKubeconfig(cluster.server.kubeconfig());
  await admin.create('/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'istio-system' },
  });
}, 30_000);

afterAll(() => cluster[Symbol.asyncDispose]());

async function startPlane(name: string, image: string, environment = {}) {
  const config = controlPlaneConfig({ POD_NAME: name, WAYPOINT_IMAGE: image, ...environment });
  const api = KubernetesApi.fromKubeconfig(cluster.server.kubeconfig());
  const plane = await startControlPlane({ config, api, log: silent });
  let isStopped = false;
  const stop = async (): Promise<void> => {
    if (!isStopped) await plane.stop();
    isStopped = true;
  };
  onTestFinished(stop);
  await eventually(() => plane.publisher.current !== null);
  return { plane, stop };
}

async function createGateway(
  name: string,
  annotations: Record<string, string> = {},
  labels: Record<string, string> = {},
) {
  await admin.create(GATEWAYS, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name, namespace: 'default', annotations, labels },
    spec: {
      gatewayClassName: 'istio-waypoint',
      listeners: [
        { name: 'mesh', port: 15_008, protocol: 'HBONE' },
        { name: 'second.listener', port: 15_008, protocol: 'HBONE', hostname: 'b.example' },
        { name: 'status-port', port: 8080, protocol: 'HTTP' },
        { name: 'a.dotted.name', port: 8081, protocol: 'HTTP' },
      ],
    },
  });
}

const deployment = (name: string) => admin.get<Deployment>(`${DEPLOYMENTS}/${name}`);

function imageOf(found: Deployment | null): string | undefined {
  return found?.spec?.template.spec?.containers[0]?.image;
}

test('of two control planes with different images one writes, and the other takes over when it stops', async () => {
  const old = await startPlane('istiod-old', 'aquifer/waypoint:old');
  await createGateway('shared');
  await eventually(() => deployment('shared'));
  await startPlane('istiod-new', 'aquifer/waypoint:new');
  await delay(2000);
  const during = await deployment('shared');
  expect([imageOf(during), during?.metadata.generation]).toEqual(['aquifer/waypoint:old', 1]);
  await old.stop();
  const after = await eventually(async () => {
    const found = await deployment('shared');
    return imageOf(found) === 'aquifer/waypoint:new' ? found : null;
  });
  await delay(1000);
  expect((await deployment('shared'))?.metadata.generation).toBe(2);
  expect(after.metadata.generation).toBe(2);
});

test('a control plane that does not write serves all that the one that writes does', async () => {
  const planes = [
    await startPlane('istiod-writes', 'aquifer/waypoint:dev'),
    await startPlane('istiod-waits', 'aquifer/waypoint:dev'),
  ];
  await admin.create('/apis/networking.istio.io/v1/namespaces/default/serviceentries', {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name: 'outside', namespace: 'default' },
    spec: {
      hosts: ['outside.test'],
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      resolution: 'DNS',
    },
  });
  const servedBy = async ({ plane }: (typeof planes)[number]) => {
    const address = `127.0.0.1:${plane.ports.grpc}`;
    const client = new DeltaClient(address, credentials.createInsecure(), null);
    client.send({ node: { id: 'ztunnel~10.0.0.9~zt.istio-system~x' }, typeUrl: ADDRESS_TYPE });
    const { resources } = await client.next();
    client.close();
    return resources.map(({ name, version }) => `${name} ${version}`).toSorted();
  };
  await eventually(async () => {
    const [one, other] = [await servedBy(planes[0]!), await servedBy(planes[1]!)];
    return one.join().includes('default/outside.test') && one.join() === other.join();
  });
  expect((await servedBy(planes[1]!)).length).toBeGreaterThan(0);
});

test('control planes of two revisions come to rest: each deploys its own waypoints, and one of them writes the rest (P166)', async () => {
  await startPlane('istiod-stable', 'aquifer/waypoint:stable');
  await startPlane('istiod-canary', 'aquifer/waypoint:canary', {
    REVISION: 'canary',
    CLUSTER_DOMAIN: 'other.local',
  });
  await createGateway('of-stable');
  await createGateway('of-canary', {}, { 'istio.io/rev': 'canary' });
  const image = (name: string) => async () => imageOf(await deployment(name));
  await expect.poll(image('of-stable'), { timeout: 60_000 }).toBe('aquifer/waypoint:stable');
  await expect.poll(image('of-canary'), { timeout: 60_000 }).toBe('aquifer/waypoint:canary');
  const policies = '/apis/security.istio.io/v1/namespaces/default/authorizationpolicies';
  const judged = (name: string) => async () =>
    (await admin.get<AuthorizationPolicy>(`${policies}/${name}`))?.status?.conditions?.length ?? 0;
  // Both see the first one, and only one of them the second.
  for (const [name, labels] of [
    ['for-all', {}],
    ['for-canary', { 'istio.io/rev': 'canary' }],
  ] as const) {
    await admin.create(policies, {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name, namespace: 'default', labels },
      spec: { rules: [{ to: [{ operation: { methods: ['GET'] } }] }] },
    });
    await expect.poll(judged(name), { timeout: 60_000 }).toBeGreaterThan(0);
  }
  const versions = async () => {
    const kinds = [GATEWAYS, DEPLOYMENTS, policies, '/api/v1/configmaps'];
    const lists = await Promise.all(
      kinds.map((path) => admin.list<{ items: { metadata: { resourceVersion: string } }[] }>(path)),
    );
    return lists.flatMap(({ items }) => items.map(({ metadata }) => metadata.resourceVersion));
  };
  await delay(500);
  const before = await versions();
  await delay(2000);
  expect(await versions()).toEqual(before);
}, 120_000);

test('a waypoint whose Gateway has two listeners on one port, or dots in a name, gets a Service', async () => {
  await startPlane('istiod-ports', 'aquifer/waypoint:dev');
  await createGateway('ports');
  const service = await eventually(() =>
    admin.get<{ spec: { ports: { name: string; port: number }[] } }>(
      '/api/v1/namespaces/default/services/ports',
    ),
  );
  expect(service.spec.ports.map(({ name, port }) => [name, port])).toEqual([
    ['status-port', 15_021],
    ['mesh', 15_008],
    ['http-8080', 8080],
    ['a-dotted-name', 8081],
  ]);
});

test("a ServiceAccount of the user is used by a waypoint, and stays the user's", async () => {
  await startPlane('istiod-account', 'aquifer/waypoint:dev');
  const body = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'my-sa' } };
  await admin.create(ACCOUNTS, body);
  await createGateway('with-account', { 'gateway.istio.io/service-account': 'my-sa' });
  const made = await eventually(() => deployment('with-account'));
  expect(made.spec?.template.spec?.serviceAccountName).toBe('my-sa');
  await eventually(() => admin.get('/api/v1/namespaces/default/services/with-account'));
  const account = await admin.get<ServiceAccount>(`${ACCOUNTS}/my-sa`);
  expect(account?.metadata.ownerReferences).toBeUndefined();
  expect(account?.metadata.labels).toBeUndefined();
});

test('a Deployment of the user under the name of a Gateway is left alone, and the Gateway says so', async () => {
  await startPlane('istiod-conflict', 'aquifer/waypoint:dev');
  const labels = { app: 'mine' };
  await admin.create(DEPLOYMENTS, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'mine', namespace: 'default' },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: 'c', image: 'nginx' }] },
      },
    },
  });
  await createGateway('mine');
  const conditions = async () =>
    (await admin.get<Gateway>(`${GATEWAYS}/mine`))?.status?.conditions ?? [];
  const told = await eventually(async () =>
    (await conditions()).find(({ reason }) => reason === 'NameConflict'),
  );
  expect(told).toMatchObject({ type: 'Programmed', status: 'False' });
  expect(told.message).toContain('Deployment "mine" in namespace "default" is not managed');
  const untouched = await deployment('mine');
  expect([imageOf(untouched), untouched?.metadata.ownerReferences]).toEqual(['nginx', undefined]);
  // Nothing is in the way of a waypoint that somebody else runs.
  const addresses = [{ type: 'Hostname', value: 'mine.default.svc.cluster.local' }];
  await admin.mergePatch(`${GATEWAYS}/mine`, { spec: { addresses } });
  await eventually(async () => {
    const now = await conditions();
    return now.length > 0 && now.every(({ reason }) => reason !== 'NameConflict');
  });
});

/** A lease of its own, with times short enough to see it end. */
function lease(holder: string, name: string, gained: string[]) {
  const made = new WriterLease({
    api: admin,
    log: silent,
    namespace: 'istio-system',
    name,
    holder,
    onGained: () => gained.push(holder),
    times: { durationMs: 3000, renewDeadlineMs: 1500, retryMs: 300 },
  });
  onTestFinished(() => made.stop());
  made.start();
  return made;
}

test('a lease whose holder is gone without a word is taken when its time is over, and never held by two', async () => {
  const gained: string[] = [];
  const path = '/apis/coordination.k8s.io/v1/namespaces/istio-system/leases';
  const metadata = { name: 'crashed', namespace: 'istio-system' };
  const spec = { holderIdentity: 'gone', leaseDurationSeconds: 3, leaseTransitions: 4 };
  await admin.create(path, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec });
  const startedMs = performance.now();
  const both = [lease('a', 'crashed', gained), lease('b', 'crashed', gained)];
  let heldTwice = 0;
  await eventually(
    () => {
      const held = both.filter(({ isHeld }) => isHeld).length;
      if (held > 1) heldTwice += 1;
      return held > 0;
    },
    { intervalMs: 20 },
  );
  expect(performance.now() - startedMs).toBeGreaterThan(2500);
  await delay(1000);
  expect(gained).toHaveLength(1);
  expect(heldTwice).toBe(0);
});

test('a lease that was taken by somebody else is no longer held', async () => {
  const gained: string[] = [];
  const holder = lease('a', 'unrenewed', gained);
  await eventually(() => holder.isHeld);
  const path = '/apis/coordination.k8s.io/v1/namespaces/istio-system/leases/unrenewed';
  await admin.mergePatch(path, { spec: { holderIdentity: 'somebody-else' } });
  await eventually(() => !holder.isHeld, { intervalMs: 20 });
  expect(gained).toEqual(['a']);
});
