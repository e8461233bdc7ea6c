import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ClusterApi, startClusterApi } from '../../../../test/fixtures/cluster-api.ts';
import type { ApiObject } from '../cluster-client.ts';

const configMaps = { group: '', version: 'v1', plural: 'configmaps' };
const pods = { group: '', version: 'v1', plural: 'pods' };
const services = { group: '', version: 'v1', plural: 'services' };
const deployments = { group: 'apps', version: 'v1', plural: 'deployments' };
const namespaces = { group: '', version: 'v1', plural: 'namespaces' };

let api: ClusterApi;

beforeAll(async () => {
  api = await startClusterApi();
});

afterAll(() => api[Symbol.asyncDispose]());

function configMap(name: string, more: Partial<ApiObject['metadata']> = {}): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default', ...more },
    data: { a: 'b' },
  };
}

function pod(name: string, more: Record<string, unknown> = {}): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { containers: [{ name: 'main', image: 'web:1' }], ...more },
  };
}

function deployment(name: string): ApiObject {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'web' }] } },
    },
  };
}

test('an update with a stale resourceVersion is a conflict, one without a version is not', async () => {
  const { client } = api.server;
  const first = await client.create(configMaps, configMap('contended'));
  await client.update(configMaps, { ...first, data: { a: 'c' } });
  await expect(client.update(configMaps, { ...first, data: { a: 'd' } })).rejects.toMatchObject({
    code: 409,
    reason: 'Conflict',
  });
  const { resourceVersion: _version, ...metadata } = first.metadata;
  const last = await client.update(configMaps, { ...first, metadata, data: { a: 'e' } });
  expect(last.data).toEqual({ a: 'e' });
});

test('a write that changes nothing keeps the resourceVersion and is no event', async () => {
  const { client } = api.server;
  const created = await client.create(configMaps, configMap('same'));
  const updated = await client.update(configMaps, created);
  expect(updated.metadata.resourceVersion).toBe(created.metadata.resourceVersion);
});

test('an object in a namespace that does not exist is refused', async () => {
  const stray = configMap('stray', { namespace: 'nowhere' });
  await expect(api.server.client.create(configMaps, stray)).rejects.toMatchObject({
    code: 404,
    message: 'namespaces "nowhere" not found',
  });
});

test('the generation follows the spec and not the status', async () => {
  const { client } = api.server;
  const created = await client.create(deployments, deployment('counted'));
  expect(created.metadata.generation).toBe(1);
  const target = { name: 'counted', namespace: 'default' };
  const status = { observedGeneration: 1, replicas: 1 };
  const reported = await client.mergePatch(
    deployments,
    { ...target, subresource: 'status' },
    { status },
  );
  expect(reported.metadata.generation).toBe(1);
  expect(reported.status).toMatchObject(status);
  const scaled = await client.mergePatch(deployments, target, {
    spec: { replicas: 3 },
    status: null,
  });
  expect(scaled.metadata.generation).toBe(2);
  expect(scaled.status).toMatchObject(status);
});

test.for([
  {
    mistake: 'a selector that does not match the template',
    name: 'bad-selector',
    change: { spec: { selector: { matchLabels: { app: 'other' } } } },
    message: 'spec.template.metadata.labels',
  },
  {
    mistake: 'a container without an image',
    name: 'bad-image',
    change: { spec: { template: { spec: { containers: [{ name: 'main' }] } } } },
    message: 'spec.template.spec.containers[0].image: Required value',
  },
  {
    mistake: 'a port out of range',
    name: 'bad-port',
    change: {
      spec: {
        template: {
          spec: { containers: [{ name: 'm', image: 'i', ports: [{ containerPort: 70000 }] }] },
        },
      },
    },
    message: 'must be between 1 and 65535, inclusive',
  },
])('$mistake is refused with its field', async ({ name, change, message }) => {
  const { client } = api.server;
  await client.create(deployments, deployment(name));
  const patch = client.mergePatch(deployments, { name, namespace: 'default' }, change);
  await expect(patch).rejects.toMatchObject({
    code: 422,
    message: expect.stringContaining(message) as string,
  });
});

test('a finalizer holds a deleted object until it is taken off', async () => {
  const { client } = api.server;
  const target = { name: 'held', namespace: 'default' };
  await client.create(configMaps, configMap('held', { finalizers: ['example.com/hold'] }));
  await client.delete(configMaps, target);
  const held = await client.get(configMaps, 'held', 'default');
  expect(held?.metadata.deletionTimestamp).toBeDefined();
  await client.mergePatch(configMaps, target, { metadata: { finalizers: null } });
  expect(await client.get(configMaps, 'held', 'default')).toBeNull();
});

test('a pod on a node is given its grace period, and none on demand', async () => {
  const { client } = api.server;
  const target = { name: 'graceful', namespace: 'default' };
  const spec = { nodeName: 'node-1', terminationGracePeriodSeconds: 42 };
  await client.create(pods, pod('graceful', spec));
  await client.delete(pods, target);
  const leaving = await client.get(pods, 'graceful', 'default');
  expect(leaving?.metadata.deletionGracePeriodSeconds).toBe(42);
  await client.delete(pods, target, { gracePeriodSeconds: 0 });
  expect(await client.get(pods, 'graceful', 'default')).toBeNull();
});

test('a running pod keeps its spec, but for the image', async () => {
  const { client } = api.server;
  const created = await client.create(pods, pod('fixed'));
  const container = created.spec.containers[0];
  const image = await client.update(pods, {
    ...created,
    spec: { ...created.spec, containers: [{ ...container, image: 'web:2' }] },
  });
  expect(image.spec.containers[0].image).toBe('web:2');
  const command = { ...image.spec, containers: [{ ...container, command: ['other'] }] };
  await expect(client.update(pods, { ...image, spec: command })).rejects.toMatchObject({
    code: 422,
  });
});

test('services get distinct addresses and keep them', async () => {
  const { client } = api.server;
  const service = (name: string, spec: Record<string, unknown> = {}): ApiObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { ports: [{ port: 80 }], ...spec },
  });
  const one = await client.create(services, service('one'));
  const two = await client.create(services, service('two'));
  expect(one.spec.clusterIP).toMatch(/^10\.96\.\d+\.\d+$/);
  expect(two.spec.clusterIP).not.toBe(one.spec.clusterIP);
  const updated = await client.update(services, service('one', { selector: { app: 'x' } }));
  expect(updated.spec.clusterIP).toBe(one.spec.clusterIP);
  const taken = service('three', { clusterIP: one.spec.clusterIP });
  await expect(client.create(services, taken)).rejects.toMatchObject({ code: 422 });
  const headless = await client.create(services, service('headless', { clusterIP: 'None' }));
  expect(headless.spec.clusterIPs).toEqual(['None']);
});

test('a deleted owner takes its dependents along, and an orphaning deletion leaves them', async () => {
  const { client } = api.server;
  const owned = async (name: string): Promise<void> => {
    const owner = await client.create(configMaps, configMap(name));
    const reference = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      name,
      uid: owner.metadata.uid ?? '',
    };
    await client.create(configMaps, configMap(`${name}-child`, { ownerReferences: [reference] }));
  };
  await owned('owner');
  await client.delete(configMaps, { name: 'owner', namespace: 'default' });
  await expect.poll(() => client.get(configMaps, 'owner-child', 'default')).toBeNull();
  await owned('parent');
  const path = '/api/v1/namespaces/default/configmaps/parent';
  await api.send('DELETE', path, { body: { propagationPolicy: 'Orphan' } });
  await expect.poll(() => client.get(configMaps, 'parent', 'default')).toBeNull();
  const child = await client.get(configMaps, 'parent-child', 'default');
  expect(child?.metadata.ownerReferences ?? []).toEqual([]);
});

test('a deleted namespace empties itself first and takes nothing new', async () => {
  const { client } = api.server;
  const metadata = { name: 'doomed' };
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata });
  const held = configMap('held', { namespace: 'doomed', finalizers: ['example.com/hold'] });
  await client.create(configMaps, held);
  await client.delete(namespaces, metadata);
  const late = client.create(configMaps, configMap('late', { namespace: 'doomed' }));
  await expect(late).rejects.toMatchObject({ code: 403, reason: 'Forbidden' });
  await expect
    .poll(async () => (await client.get(configMaps, 'held', 'doomed'))?.metadata.deletionTimestamp)
    .toBeDefined();
  expect((await client.get(namespaces, 'doomed'))?.status.phase).toBe('Terminating');
  const target = { name: 'held', namespace: 'doomed' };
  await client.mergePatch(configMaps, target, { metadata: { finalizers: null } });
  await expect.poll(() => client.get(namespaces, 'doomed'), { timeout: 5000 }).toBeNull();
});

test('a StatefulSet may mount the volumes of its claim templates', async () => {
  const labels = { app: 'db' };
  const mount = { name: 'data', mountPath: '/data' };
  const statefulSet = {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace: 'default' },
    spec: {
      serviceName: 'db',
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: 'db', image: 'db', volumeMounts: [mount] }] },
      },
      volumeClaimTemplates: [
        {
          metadata: { name: 'data' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        },
      ],
    },
  };
  const statefulSets = { group: 'apps', version: 'v1', plural: 'statefulsets' };
  await expect(api.server.client.create(statefulSets, statefulSet)).resolves.toBeDefined();
  const { volumeClaimTemplates: _claims, ...spec } = statefulSet.spec;
  const without = { ...statefulSet, metadata: { name: 'db2', namespace: 'default' }, spec };
  await expect(api.server.client.create(statefulSets, without)).rejects.toMatchObject({
    code: 422,
  });
});
