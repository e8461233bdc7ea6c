import { afterAll, beforeAll, expect, test } from 'vitest';
import { NetworkNamespace } from '../../packages/ztunnel/src/capture/netns.ts';
import {
  installRedirection,
  removeRedirection,
} from '../../packages/ztunnel/src/capture/redirection.ts';
import type { DataPlane } from '../../packages/ztunnel/src/data-plane/data-plane.ts';
import { TestAuthority } from '../fixtures/certificates.ts';
import { aService, aWorkload } from '../fixtures/mesh-objects.ts';
import { type PodNamespace, PodNamespaces } from '../fixtures/pod-namespaces.ts';
import { addressResources, startDataPlane } from '../fixtures/test-data-plane.ts';

const RULES = { node: 'node-1', bypassInbound: false };
const POD = { uid: 'client', name: 'client', namespace: 'shop', serviceAccount: 'client' };
/** Nobody has this address: what is answered is answered by the proxy. */
const NAMESERVER = '10.96.0.10';

/** Asks once; prints the addresses, or the code of the failure. */
const QUERY = `
const [nameserver, name, type] = process.argv.slice(1);
const resolver = new (require('node:dns').promises.Resolver)({ timeout: 1000, tries: 1 });
resolver.setServers([nameserver]);
resolver.resolve(name, type).then((found) => console.log(found.sort().join(' ')), (error) => console.log(error.code));
`;

/** The same over TCP: how many bytes the answer has. */
const TCP_QUERY = `
const socket = require('node:net').connect(53, process.argv[1]);
const question = Buffer.from('\\0\\x01\\x01\\0\\0\\x01\\0\\0\\0\\0\\0\\0\\x06server\\0\\0\\x01\\0\\x01', 'latin1');
socket.write(Buffer.concat([Buffer.of(0, question.length), question]));
socket.once('data', (answer) => { console.log(answer.subarray(-4).join('.')); socket.destroy(); });
socket.once('error', (error) => console.log(error.code));
setTimeout(() => { console.log('silent'); process.exit(); }, 2000).unref();
`;

let pods: PodNamespaces;
let pod: PodNamespace;
let namespace: NetworkNamespace;
let authority: TestAuthority;
let dataPlane: DataPlane;

beforeAll(async () => {
  pods = new PodNamespaces('aqf-dns');
  pod = pods.add('client', '10.84.0.2');
  pods.run(pod, ['ip', 'route', 'add', 'default', 'dev', 'eth0']);
  namespace = NetworkNamespace.open(pod.path);
  authority = new TestAuthority();
  dataPlane = startDataPlane({ threads: 2, authority });
  const client = aWorkload({ name: 'client', addresses: ['10.84.0.2'] });
  const service = aService({ name: 'server', vip: '10.96.0.1' });
  await dataPlane.applyAddresses({
    resources: addressResources([client], [service]),
    removed: [],
  });
});
afterAll(async () => {
  await dataPlane.stop();
  namespace.close();
  await pods[Symbol.asyncDispose]();
  authority[Symbol.dispose]();
});

function ask(name: string, type = 'A'): string {
  return pods.run(pod, [process.execPath, '-e', QUERY, NAMESERVER, name, type]).trim();
}

test('a captured pod has its names resolved by its proxy, whichever nameserver it asks', async () => {
  await dataPlane.startPod({ ...POD, captureDns: true }, namespace.fd);
  await installRedirection(namespace, { ...RULES, captureDns: true });
  expect(ask('server')).toBe('10.96.0.1');
  expect(ask('server.shop.svc.cluster.local')).toBe('10.96.0.1');
  expect(ask('server', 'AAAA')).toBe('ENODATA');
  expect(pods.run(pod, [process.execPath, '-e', TCP_QUERY, NAMESERVER]).trim()).toBe('10.96.0.1');
  const readings = await dataPlane.dnsReadings();
  const counts = readings.flatMap(({ queries }) => queries);
  expect(counts.reduce((sum, { requests }) => sum + requests, 0)).toBeGreaterThanOrEqual(4);
});

test('a pod that does not want it asks its nameserver itself, from then on', async () => {
  await dataPlane.startPod({ ...POD, captureDns: false }, namespace.fd);
  await installRedirection(namespace, { ...RULES, captureDns: false });
  expect(ask('server')).toMatch(/^E(TIMEOUT|CONNREFUSED)$/);
  await dataPlane.startPod({ ...POD, captureDns: true }, namespace.fd);
  await installRedirection(namespace, { ...RULES, captureDns: true });
  expect(ask('server')).toBe('10.96.0.1');
});

test('a pod that leaves asks its nameserver itself', async () => {
  await removeRedirection(namespace, RULES.node);
  await dataPlane.stopPod(POD.uid);
  expect(ask('server')).toMatch(/^E(TIMEOUT|CONNREFUSED)$/);
});
