/** Claims at a real API with its controllers: what they are bound to, and what is left of it. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiObject } from '@aquifer/kube-api';
import { PROVISIONED_BY, PROVISIONER } from '@aquifer/kube-api/vocabulary';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ClusterApi } from '../../../../test/fixtures/cluster-api.ts';
import {
  type ControlledCluster,
  startControlledCluster,
} from '../../../../test/fixtures/controlled-cluster.ts';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import { CLAIMS, PODS, STORAGE_CLASSES, VOLUMES } from './resource-keys.ts';

const namespace = 'default';
let api: ClusterApi;
let cluster: ControlledCluster;

beforeAll(async () => {
  cluster = await startControlledCluster();
  api = cluster.api;
});

afterAll(() => cluster.stop());

async function claim(name: string, spec: Record<string, unknown> = {}): Promise<void> {
  await api.server.client.create(CLAIMS, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      ...spec,
    },
  });
}

async function volume(name: string, path: string, annotations = {}): Promise<void> {
  await api.server.client.create(VOLUMES, {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, annotations },
    spec: {
      accessModes: ['ReadWriteOnce', 'ReadWriteMany'],
      capacity: { storage: '2Gi' },
      storageClassName: name,
      hostPath: { path },
      ...(Object.keys(annotations).length > 0 ? { persistentVolumeReclaimPolicy: 'Delete' } : {}),
    },
  });
}

function bound(name: string): Promise<ApiObject> {
  return eventually(async () => {
    const found = await api.server.client.get(CLAIMS, name, namespace);
    return found?.status.phase === 'Bound' ? found : null;
  });
}

async function directoryOf(found: ApiObject): Promise<string> {
  const bearer = await api.server.client.get(VOLUMES, found.spec.volumeName);
  return bearer?.spec.hostPath.path;
}

const isGone = async (name: string): Promise<boolean> =>
  (await api.server.client.get(CLAIMS, name, namespace)) === null;

test('a claim that names no class is bound to a new directory, which goes with it', async () => {
  const { client } = api.server;
  await claim('data');
  const found = await bound('data');
  expect(found.spec.storageClassName).toBe('standard');
  expect(found.status).toMatchObject({
    accessModes: ['ReadWriteOnce'],
    capacity: { storage: '1Gi' },
  });
  const path = await directoryOf(found);
  writeFileSync(join(path, 'file'), 'content');
  await client.delete(CLAIMS, { name: 'data', namespace });
  await eventually(async () => (await client.get(VOLUMES, found.spec.volumeName)) === null);
  expect(existsSync(path)).toBe(false);
});

test('a claim that a pod uses stays, with its directory, until the pod is gone', async () => {
  const { client } = api.server;
  await claim('used');
  const path = await directoryOf(await bound('used'));
  await client.create(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'user', namespace },
    spec: {
      containers: [{ name: 'c', image: 'x' }],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'used' } }],
    },
  });
  await claim('unused');
  await bound('unused');
  for (const name of ['used', 'unused']) await client.delete(CLAIMS, { name, namespace });
  await eventually(() => isGone('unused'));
  expect(await isGone('used')).toBe(false);
  expect(existsSync(path)).toBe(true);
  await client.delete(PODS, { name: 'user', namespace }, { gracePeriodSeconds: 0 });
  await eventually(() => isGone('used'));
  await eventually(() => !existsSync(path));
});

test('a claim takes the volume made by hand that suits it, alone, and leaves it as it is', async () => {
  const { client } = api.server;
  const path = join(api.directory, 'by-hand');
  mkdirSync(path);
  await claim('first', { storageClassName: 'by-hand' });
  await claim('large', {
    storageClassName: 'by-hand',
    resources: { requests: { storage: '3Gi' } },
  });
  await volume('by-hand', path);
  expect((await bound('first')).spec.volumeName).toBe('by-hand');
  await claim('second', { storageClassName: 'by-hand' });
  await client.delete(CLAIMS, { name: 'first', namespace });
  await eventually(async () => (await client.get(VOLUMES, 'by-hand'))?.status.phase === 'Released');
  expect(existsSync(path)).toBe(true);
  for (const name of ['second', 'large']) {
    expect((await client.get(CLAIMS, name, namespace))?.status.phase).toBe('Pending');
  }
});

test('no directory goes that the sandbox did not make, whatever its volume says', async () => {
  const { client } = api.server;
  const path = join(api.directory, 'foreign');
  mkdirSync(path);
  await volume('foreign', path, { [PROVISIONED_BY]: PROVISIONER });
  await claim('foreign', { volumeName: 'foreign', storageClassName: 'foreign' });
  await bound('foreign');
  await client.delete(CLAIMS, { name: 'foreign', namespace });
  await eventually(async () => (await client.get(VOLUMES, 'foreign')) === null);
  expect(existsSync(path)).toBe(true);
});

test('a claim of an unknown class waits for it', async () => {
  const { client } = api.server;
  await claim('early', { storageClassName: 'late' });
  await claim('by-name', { storageClassName: '' });
  await claim('marker');
  await bound('marker');
  await client.create(STORAGE_CLASSES, {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'late' },
    provisioner: PROVISIONER,
  });
  await eventually(async () => (await bound('early')) !== null, { timeoutMs: 20_000 });
  expect((await client.get(CLAIMS, 'by-name', namespace))?.status.phase).toBe('Pending');
});
