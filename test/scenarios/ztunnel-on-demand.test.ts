import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { DeltaStream } from '@aquifer/control-plane-client';
import type { Service, Workload } from '@aquifer/model';
import { createLogger } from '@aquifer/runtime';
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from '@aquifer/wire';
import type { DeltaDiscoveryRequest } from '@aquifer/wire/gen/envoy/service/discovery/v3_pb';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { NetworkNamespace } from '../../packages/ztunnel/src/capture/netns.ts';
import { installRedirection } from '../../packages/ztunnel/src/capture/redirection.ts';
import type { DataPlane } from '../../packages/ztunnel/src/data-plane/data-plane.ts';
import { MeshDemands } from '../../packages/ztunnel/src/demand/mesh-demands.ts';
import { TRAFFIC_LABELS } from '../../packages/ztunnel/src/telemetry/labels.ts';
import { TestAuthority } from '../fixtures/certificates.ts';
import { eventually } from '../fixtures/eventually.ts';
import { aService, aWorkload } from '../fixtures/mesh-objects.ts';
import { type PodNamespace, PodNamespaces } from '../fixtures/pod-namespaces.ts';
import { aliasedResources, ScriptedDiscovery } from '../fixtures/scripted-discovery.ts';
import { startDataPlane } from '../fixtures/test-data-plane.ts';

/** A node proxy that knows nothing of the mesh but what it asks for: two captured pods and an outsider. */
const SERVER = `
require('node:http').createServer((req, res) => res.end('hello')).listen(8080, '0.0.0.0', () => console.log('up'));
`;

const KEY = 'shop/server.shop.svc.cluster.local';
const clientWorkload = aWorkload({ name: 'client', addresses: ['10.77.0.2'] });
const serverWorkload = aWorkload({ name: 'server', addresses: ['10.77.0.3'], services: [KEY] });
const serverService = aService({ name: 'server', vip: '10.96.0.1' });

let pods: PodNamespaces;
let client: PodNamespace;
let dataPlane: DataPlane;
let discovery: ScriptedDiscovery;
let stream: DeltaStream;
let authority: TestAuthority;
let isSilent = false;
let asked: string[] = [];
const namespaces: NetworkNamespace[] = [];

const byName = new Map<string, readonly (Workload | Service)[]>([
  [clientWorkload.uid, [clientWorkload]],
  [serverWorkload.uid, [serverWorkload]],
  ['/10.77.0.2', [clientWorkload]],
  ['/10.77.0.3', [serverWorkload]],
  ['/10.96.0.1', [serverService, serverWorkload]],
  [KEY, [serverService, serverWorkload]],
]);

/** As Istio's control plane does: by name or address, a service with its workloads. */
function answer({ typeUrl, responseNonce, resourceNamesSubscribe }: DeltaDiscoveryRequest): void {
  if (responseNonce !== '') return;
  if (typeUrl === AUTHORIZATION_TYPE) discovery.send(typeUrl, []);
  const names = resourceNamesSubscribe.filter((name) => name !== '*');
  asked.push(...names);
  if (typeUrl !== ADDRESS_TYPE || isSilent) return;
  const found = [...new Set(names.flatMap((name) => byName.get(name) ?? []))];
  const workloads = found.filter((each): each is Workload => 'uid' in each);
  const services = found.filter((each): each is Service => !('uid' in each));
  discovery.send(
    typeUrl,
    aliasedResources(workloads, services),
    names.filter((name) => !byName.has(name)),
  );
}

/** The proxy runs in this process, which must not stand still meanwhile. */
async function curl(from: PodNamespace, url: string): Promise<string> {
  const child = pods.start(from, ['curl', '-s', '--max-time', '9', url]);
  return await text(child.stdout!);
}

function tunnelled(reporter: string): number {
  const policy = TRAFFIC_LABELS.indexOf('connection_security_policy');
  return dataPlane.traffic.series
    .filter(({ labels }) => labels[0] === reporter && labels[policy] === 'mutual_tls')
    .reduce((sum, { totals }) => sum + totals.closed, 0);
}

beforeAll(async () => {
  authority = new TestAuthority();
  pods = new PodNamespaces('aqd');
  client = pods.add('client', '10.77.0.2');
  const server = pods.add('server', '10.77.0.3');
  const outsider = pods.add('outsider', '10.77.0.4');
  pods.run(client, ['ip', 'route', 'add', '10.96.0.0/16', 'dev', 'eth0']);
  pods.run(outsider, ['ip', 'addr', 'add', '10.77.0.5/24', 'dev', 'eth0']);
  for (const pod of [server, outsider]) {
    await once(pods.start(pod, [process.execPath, '-e', SERVER]).stdout!, 'data');
  }
  discovery = await ScriptedDiscovery.start();
  discovery.onRequest = answer;
  const demands = new MeshDemands({ clusterId: 'Kubernetes', nodeName: 'node-1' });
  dataPlane = startDataPlane({
    threads: 2,
    authority,
    demands,
    config: { discovery: 'on-demand' },
  });
  const synced = Promise.withResolvers<void>();
  stream = new DeltaStream({
    endpoint: discovery.endpoint,
    node: { id: 'ztunnel~10.0.0.1~ztunnel-1.istio-system~x', metadata: { NODE_NAME: 'node-1' } },
    subscriptions: [
      {
        typeUrl: ADDRESS_TYPE,
        names: demands.names,
        apply: (batch) => dataPlane.applyAddresses(batch),
      },
      {
        typeUrl: AUTHORIZATION_TYPE,
        names: '*',
        apply: (batch) => dataPlane.applyPolicies(batch),
      },
    ],
    log: createLogger('xds', { format: 'plain', levels: 'off' }),
    onSynced: () => synced.resolve(),
  });
  void stream.run();
  await synced.promise;
  for (const [pod, workload] of [
    [client, clientWorkload],
    [server, serverWorkload],
  ] as const) {
    const namespace = NetworkNamespace.open(pod.path);
    namespaces.push(namespace);
    const { uid, name, namespace: of, serviceAccount } = workload;
    const captured = { uid, name, namespace: of, serviceAccount, captureDns: false };
    await dataPlane.startPod(captured, namespace.fd);
    await installRedirection(namespace, { node: 'test', bypassInbound: false, captureDns: false });
  }
});

afterAll(async () => {
  stream.stop();
  await dataPlane.stop();
  discovery.stop();
  for (const namespace of namespaces) namespace.close();
  await pods[Symbol.asyncDispose]();
  authority[Symbol.dispose]();
});

beforeEach(() => {
  asked = [];
});

test('a service is asked for when a pod first calls it, and the call goes through a tunnel', async () => {
  expect(dataPlane.store.snapshot.service(KEY)).toBeNull();
  expect(await curl(client, 'http://10.96.0.1/')).toBe('hello');
  expect(asked).toContain('/10.96.0.1');
  await eventually(() => tunnelled('source') >= 1 && tunnelled('destination') >= 1);
});

test('an address outside of the mesh is asked for once, and passed through', async () => {
  for (let i = 0; i < 5; i++) expect(await curl(client, 'http://10.77.0.4:8080/')).toBe('hello');
  expect(asked.filter((name) => name === '/10.77.0.4')).toHaveLength(1);
});

test('connections that come at once wait for the same answer', async () => {
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => curl(client, 'http://10.77.0.4:8080/')),
  );
  expect(new Set(answers)).toEqual(new Set(['hello']));
});

test('while the control plane is silent, what is known goes on, and the rest is decided after 5 s', async () => {
  isSilent = true;
  const startedMs = performance.now();
  expect(await curl(client, 'http://10.96.0.1/')).toBe('hello');
  // Not after the five seconds that the others wait.
  expect(performance.now() - startedMs).toBeLessThan(4_000);
  expect(await curl(client, 'http://10.77.0.5:8080/')).toBe('hello');
  expect(performance.now() - startedMs).toBeGreaterThan(4_900);
  isSilent = false;
});
