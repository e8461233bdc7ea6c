import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ControlPlaneEndpoint,
  CsrClient,
  DeltaStream,
  DemandedNames,
} from '@aquifer/control-plane-client';
import { WorkloadStore } from '@aquifer/control-plane-client/store';
import { createLogger } from '@aquifer/runtime';
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from '@aquifer/wire';
import { expect, onTestFinished, test } from 'vitest';
import {
  namespaceObject,
  podObject,
  type RunningControlPlane,
  startTestControlPlane,
} from '../../fixtures/control-plane.ts';
import { eventually } from '../../fixtures/eventually.ts';

/** The two halves meet only on the wire: what ztunnel and waypoint use, against what serves them. */
const WEB = podObject('shop', 'web', { account: 'web', ip: '10.0.0.2' });
const OBJECTS = [
  namespaceObject('istio-system'),
  namespaceObject('shop'),
  podObject('istio-system', 'ztunnel-1', { account: 'ztunnel', uid: 'zt-1' }),
  WEB,
];
const IDENTITY = 'spiffe://cluster.local/ns/shop/sa/web';

function start(): Promise<RunningControlPlane> {
  return startTestControlPlane(OBJECTS, (api) => {
    const username = 'system:serviceaccount:istio-system:ztunnel';
    api.tokens.set('zt', { username, pod: { name: 'ztunnel-1', uid: 'zt-1' } });
  });
}

function endpointOf(plane: RunningControlPlane): ControlPlaneEndpoint {
  const folder = mkdtempSync(join(tmpdir(), 'aquifer-client-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const rootCertPath = join(folder, 'root-cert.pem');
  const tokenPath = join(folder, 'token');
  writeFileSync(rootCertPath, plane.app.rootBundle);
  writeFileSync(tokenPath, 'zt');
  const address = `127.0.0.1:${plane.app.ports.secureGrpc}`;
  const serverName = 'istiod.istio-system.svc';
  return { address, rootCertPath, tokenPath, serverName, clusterId: 'Kubernetes', headers: {} };
}

test('the workload store follows the cluster', async () => {
  const plane = await start();
  const store = new WorkloadStore();
  const synced = Promise.withResolvers<void>();
  const stream = new DeltaStream({
    endpoint: endpointOf(plane),
    node: {
      id: 'ztunnel~10.0.0.1~ztunnel-1.istio-system~istio-system.svc.cluster.local',
      metadata: { NODE_NAME: 'n1' },
    },
    subscriptions: [
      { typeUrl: ADDRESS_TYPE, names: '*', apply: (batch) => store.applyAddresses(batch) },
      { typeUrl: AUTHORIZATION_TYPE, names: '*', apply: (batch) => store.applyPolicies(batch) },
    ],
    log: createLogger('client', { format: 'plain', write: () => undefined }),
    onSynced: synced.resolve,
  });
  const running = stream.run();
  onTestFinished(async () => {
    stream.stop();
    await running;
  });
  await synced.promise;
  expect(store.snapshot.workloadByAddress('', '10.0.0.2')).toMatchObject({
    name: 'web',
    protocol: 'tcp',
  });
  const annotations = { 'ambient.istio.io/redirection': 'enabled' };
  plane.api.put({ ...WEB, metadata: { ...WEB.metadata, annotations } });
  await eventually(() => store.snapshot.workloadByAddress('', '10.0.0.2')?.protocol === 'hbone');
  plane.api.remove(WEB);
  await eventually(() => store.snapshot.workloadByAddress('', '10.0.0.2') === null);
  expect(plane.logs.filter((line) => line.includes('rejected'))).toEqual([]);
});

test('on demand the workload store knows what was asked for and the pods of its node', async () => {
  const plane = await start();
  const store = new WorkloadStore();
  const names = new DemandedNames();
  const stream = new DeltaStream({
    endpoint: endpointOf(plane),
    node: {
      id: 'ztunnel~10.0.0.1~ztunnel-1.istio-system~istio-system.svc.cluster.local',
      metadata: { NODE_NAME: 'n1' },
    },
    subscriptions: [
      { typeUrl: ADDRESS_TYPE, names, apply: (batch) => store.applyAddresses(batch) },
    ],
    log: createLogger('client', { format: 'plain', write: () => undefined }),
    onSynced: () => undefined,
  });
  const running = stream.run();
  onTestFinished(async () => {
    stream.stop();
    await running;
  });
  const nameAt = (ip: string) => store.snapshot.workloadByAddress('', ip)?.name ?? null;
  await eventually(() => nameAt('10.0.0.2') === 'web');
  plane.api.put(podObject('shop', 'far', { node: 'n2', ip: '10.0.1.2' }));
  await eventually(() => (plane.app.publisher.current?.served.addresses.size ?? 0) === 3);
  expect(nameAt('10.0.1.2')).toBeNull();
  const answered: string[] = [];
  names.onChange((change) => answered.push(...change.answered));
  for (const name of ['/10.0.1.2', '/10.0.1.3']) names.ask(name);
  await eventually(() => answered.length === 2);
  expect(answered.toSorted()).toEqual(['/10.0.1.2', '/10.0.1.3']);
  expect([nameAt('10.0.1.2'), nameAt('10.0.1.3')]).toEqual(['far', null]);
});

test('the certificate client gets what it asks for', async () => {
  const plane = await start();
  const client = new CsrClient({
    endpoint: endpointOf(plane),
    ttlSeconds: 3600,
    impersonate: true,
  });
  onTestFinished(() => client.close());
  const issued = await client.sign(IDENTITY);
  expect(new X509Certificate(issued.chain).subjectAltName).toBe(`URI:${IDENTITY}`);
  expect(issued.roots).toBe(plane.app.rootBundle);
});
