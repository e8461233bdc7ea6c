import { WorkloadStore } from '@aquifer/control-plane-client/store';
import { createLogger, parseEnv } from '@aquifer/runtime';
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from '@aquifer/wire';
import { expect, onTestFinished, test } from 'vitest';
import { ScriptedDiscovery } from '../../../test/fixtures/scripted-discovery.ts';
import { dataPlaneConfigOf } from './config/derived.ts';
import { ZTUNNEL_CONFIG } from './config/keys.ts';
import { MeshDemands } from './demand/mesh-demands.ts';
import { followMesh } from './mesh.ts';
import { ControlMetrics } from './telemetry/metrics-exposition.ts';

async function follow(env: Readonly<Record<string, string>>) {
  const discovery = await ScriptedDiscovery.start();
  onTestFinished(() => discovery.stop());
  const XDS_ADDRESS = `http://${discovery.endpoint.address}`;
  const parsed = parseEnv(ZTUNNEL_CONFIG, { NODE_NAME: 'node-1', XDS_ADDRESS, ...env });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  const config = dataPlaneConfigOf(parsed.value);
  let isSynced = false;
  const mesh = await followMesh(parsed.value, {
    dataPlane: new WorkloadStore(),
    demands: config.discovery === 'on-demand' ? new MeshDemands(config) : null,
    subscriptions: [],
    log: createLogger('test', { format: 'plain', levels: 'off' }),
    metrics: new ControlMetrics('test'),
    onSynced: () => {
      isSynced = true;
    },
  });
  mesh.start();
  onTestFinished(() => mesh.stop());
  await expect.poll(() => discovery.requests(0, AUTHORIZATION_TYPE).length).toBe(1);
  return { discovery, isSynced: () => isSynced };
}

test.for([
  { set: 'nothing', env: {}, wished: 'all', subscribe: [] },
  { set: 'XDS_ON_DEMAND', env: { XDS_ON_DEMAND: 'true' }, wished: 'none', subscribe: ['*'] },
])(
  'with $set, $wished of the addresses are asked for at first (C140)',
  async ({ env, subscribe }) => {
    const { discovery, isSynced } = await follow(env);
    const isComplete = subscribe.length === 0;
    expect(discovery.requests(0, ADDRESS_TYPE)[0]).toMatchObject({
      resourceNamesSubscribe: subscribe,
      resourceNamesUnsubscribe: subscribe,
    });
    discovery.send(AUTHORIZATION_TYPE, []);
    if (isComplete) discovery.send(ADDRESS_TYPE, []);
    await expect.poll(isSynced).toBe(true);
  },
);
