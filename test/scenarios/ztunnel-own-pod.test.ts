import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NetworkNamespace } from '../../packages/ztunnel/src/capture/netns.ts';
import { installRedirection } from '../../packages/ztunnel/src/capture/redirection.ts';
import type { DataPlane } from '../../packages/ztunnel/src/data-plane/data-plane.ts';
import { TRAFFIC_LABELS } from '../../packages/ztunnel/src/telemetry/labels.ts';
import { TestAuthority } from '../fixtures/certificates.ts';
import { eventually } from '../fixtures/eventually.ts';
import { aWorkload } from '../fixtures/mesh-objects.ts';
import { type PodNamespace, PodNamespaces } from '../fixtures/pod-namespaces.ts';
import { addressResources, startDataPlane } from '../fixtures/test-data-plane.ts';

const METRICS = `
require('node:http').createServer((req, res) => res.end('metrics')).listen(15020, '0.0.0.0', () => console.log('up'));
`;

let pods: PodNamespaces;
let client: PodNamespace;
let ztunnel: PodNamespace;
let dataPlane: DataPlane;
let authority: TestAuthority;
const namespaces: NetworkNamespace[] = [];

beforeAll(async () => {
  authority = new TestAuthority();
  pods = new PodNamespaces('aqo');
  client = pods.add('client', '10.77.0.2');
  ztunnel = pods.add('ztunnel', '10.77.0.3');
  const metrics = pods.start(ztunnel, [process.execPath, '-e', METRICS]);
  await once(metrics.stdout!, 'data');
  dataPlane = startDataPlane({ threads: 2, authority });
  const workloads = [
    aWorkload({ name: 'client', addresses: ['10.77.0.2'], serviceAccount: 'client' }),
    aWorkload({ name: 'ztunnel-1', addresses: ['10.77.0.3'], serviceAccount: 'ztunnel' }),
  ];
  await dataPlane.applyAddresses({ resources: addressResources(workloads, []), removed: [] });
  for (const [index, pod] of [client, ztunnel].entries()) {
    const { uid, name, namespace, serviceAccount } = workloads[index]!;
    const network = NetworkNamespace.open(pod.path);
    namespaces.push(network);
    const captured = { uid, name, namespace, serviceAccount, captureDns: false };
    await dataPlane.startPod({ ...captured, isProxy: pod === ztunnel }, network.fd);
    if (pod === client) {
      await installRedirection(network, { node: 'test', bypassInbound: false, captureDns: false });
    }
  }
});
afterAll(async () => {
  await dataPlane.stop();
  for (const namespace of namespaces) namespace.close();
  await pods[Symbol.asyncDispose]();
  authority[Symbol.dispose]();
});

test("a captured pod reads the proxy's metrics through a tunnel to the proxy's own identity (C084)", async () => {
  const curl = ['curl', '-s', '--max-time', '5', 'http://10.77.0.3:15020/metrics'];
  expect(pods.run(client, curl)).toBe('metrics');
  const principal = TRAFFIC_LABELS.indexOf('destination_principal');
  const isOfProxy = (labels: readonly string[]): boolean =>
    labels[0] === 'destination' && labels[principal]!.endsWith('/sa/ztunnel');
  await eventually(() =>
    dataPlane.traffic.series.some(({ labels, totals }) => isOfProxy(labels) && totals.closed === 1),
  );
});

test("the proxy's own pod has a listener for tunnels and no other", () => {
  const ports = [...pods.run(ztunnel, ['ss', '-ltnH']).matchAll(/:(\d+) /g)].map(
    ([, port]) => port,
  );
  expect(new Set(ports.filter((port) => port?.startsWith('15')))).toEqual(
    new Set(['15008', '15020']),
  );
});
