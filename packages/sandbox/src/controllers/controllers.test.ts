/** Controllers at a real API without nodes behind it: pods are placed, and none runs. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiObject } from '@aquifer/kube-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ClusterApi } from '../../../../test/fixtures/cluster-api.ts';
import {
  type ControlledCluster,
  startControlledCluster,
} from '../../../../test/fixtures/controlled-cluster.ts';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import { DAEMON_SETS, NODES, PODS } from './resource-keys.ts';

let api: ClusterApi;
let cluster: ControlledCluster;

beforeAll(async () => {
  cluster = await startControlledCluster(async ({ server }) => {
    for (const name of ['node-1', 'node-2']) {
      await server.client.create(NODES, {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name },
        spec: {},
      });
    }
  });
  api = cluster.api;
});

afterAll(() => cluster.stop());

function daemonSet(name: string): ApiObject {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace: 'default' },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'x' }] } },
    },
  };
}

async function podsOf(app: string): Promise<Map<string, string>> {
  const items = await api.server.client.list(PODS);
  const own = items.filter(({ metadata }) => metadata.labels?.app === app);
  return new Map(own.map(({ metadata, spec }) => [String(spec.nodeName), metadata.uid ?? '']));
}

test('a cordoned node keeps the pods of its daemons, gets those of new ones, and no others', async () => {
  const { client } = api.server;
  await client.create(DAEMON_SETS, daemonSet('before'));
  const before = await eventually(async () => {
    const pods = await podsOf('before');
    return pods.size === 2 ? pods : null;
  });
  await client.mergePatch(NODES, { name: 'node-2' }, { spec: { unschedulable: true } });
  await client.create(DAEMON_SETS, daemonSet('after'));
  await eventually(async () => (await podsOf('after')).size === 2);
  const { spec } = daemonSet('alone').spec.template;
  for (const name of ['one', 'two', 'three']) {
    const metadata = { name, namespace: 'default', labels: { app: 'alone' } };
    await client.create(PODS, { apiVersion: 'v1', kind: 'Pod', metadata, spec });
  }
  await eventually(async () => (await podsOf('alone')).has('node-1'));
  await delay(300);
  expect((await podsOf('alone')).has('node-2')).toBe(false);
  expect(await podsOf('before')).toEqual(before);
});
