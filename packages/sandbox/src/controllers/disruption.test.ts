/** Evictions at a real API with its controllers, which keep the budgets. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApiAnswer, ClusterApi } from '../../../../test/fixtures/cluster-api.ts';
import {
  type ControlledCluster,
  startControlledCluster,
} from '../../../../test/fixtures/controlled-cluster.ts';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import { DISRUPTION_BUDGETS, PODS } from './resource-keys.ts';

const namespace = 'default';
let api: ClusterApi;
let cluster: ControlledCluster;

beforeAll(async () => {
  cluster = await startControlledCluster();
  api = cluster.api;
});

afterAll(() => cluster.stop());

async function runningPod(name: string, app: string, ready: 'True' | 'False'): Promise<void> {
  const { client } = api.server;
  await client.create(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app } },
    spec: { nodeName: 'node-1', containers: [{ name: 'c', image: 'x' }] },
  });
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: ready }] };
  await client.mergePatch(PODS, { name, namespace, subresource: 'status' }, { status });
}

async function budget(app: string, minAvailable: number, allowed: number): Promise<void> {
  const { client } = api.server;
  await client.create(DISRUPTION_BUDGETS, {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: app, namespace },
    spec: { minAvailable, selector: { matchLabels: { app } } },
  });
  await eventually(async () => {
    const found = await client.get(DISRUPTION_BUDGETS, app, namespace);
    return found?.status?.disruptionsAllowed === allowed;
  });
}

function evict(name: string, deleteOptions = {}): Promise<ApiAnswer> {
  return api.send('POST', `/api/v1/namespaces/${namespace}/pods/${name}/eviction`, {
    body: {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name, namespace },
      deleteOptions,
    },
  });
}

test('of evictions at the same time a budget grants as many as it can spare', async () => {
  const names = ['web-1', 'web-2', 'web-3'];
  for (const name of names) await runningPod(name, 'web', 'True');
  await budget('web', 2, 1);
  expect((await evict('web-1', { dryRun: ['All'] })).status).toBe(201);
  const answers = await Promise.all(names.map((name) => evict(name)));
  expect(answers.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([
    201, 429, 429,
  ]);
  const refused = answers.find(({ status }) => status === 429);
  expect(refused?.body).toMatchObject({
    reason: 'TooManyRequests',
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    details: { causes: [{ reason: 'DisruptionBudget' }] },
  });
  await runningPod('web-4', 'web', 'True');
  const next = names.find((_name, at) => answers[at]?.status === 429) ?? '';
  await eventually(async () => (await evict(next)).status === 201);
});

test('a pod that serves nobody, or that no budget counts, is evicted at once', async () => {
  for (const name of ['sick-1', 'sick-2']) await runningPod(name, 'sick', 'True');
  await runningPod('sick-3', 'sick', 'False');
  await budget('sick', 2, 0);
  await runningPod('free', 'free', 'True');
  expect((await evict('sick-1')).status).toBe(429);
  expect((await evict('sick-3')).status).toBe(201);
  expect((await evict('free')).status).toBe(201);
});
