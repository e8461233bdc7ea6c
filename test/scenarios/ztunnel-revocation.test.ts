import { once } from 'node:events';
import { parseRevocationLists } from '@aquifer/hbone';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NetworkNamespace } from '../../packages/ztunnel/src/capture/netns.ts';
import { installRedirection } from '../../packages/ztunnel/src/capture/redirection.ts';
import type { DataPlane } from '../../packages/ztunnel/src/data-plane/data-plane.ts';
import { TRAFFIC_LABELS } from '../../packages/ztunnel/src/telemetry/labels.ts';
import { ChainAuthority } from '../fixtures/certificate-chains.ts';
import { eventually } from '../fixtures/eventually.ts';
import { aWorkload } from '../fixtures/mesh-objects.ts';
import { type PodNamespace, PodNamespaces } from '../fixtures/pod-namespaces.ts';
import { addressResources, startDataPlane } from '../fixtures/test-data-plane.ts';

const SERVER = `
require('node:net').createServer((s) => { const t = setInterval(() => s.write('tick\\n'), 50);
  s.on('close', () => clearInterval(t)); s.on('error', () => {}); }).listen(9100, '0.0.0.0');
`;
/** Prints a line when bytes arrive, and exits with 7 when the connection ends. */
const CLIENT = `
const s = require('node:net').connect(9100, '10.77.0.3'); s.on('error', () => {});
s.once('data', () => console.log('open')); s.resume(); s.on('close', () => process.exit(7));
`;
const SERVER_SERIAL = 0x51;

let pods: PodNamespaces;
let client: PodNamespace;
let dataPlane: DataPlane;
let authority: ChainAuthority;
const rejected: string[] = [];
const namespaces: NetworkNamespace[] = [];

beforeAll(async () => {
  authority = ChainAuthority.root();
  pods = new PodNamespaces('aqr');
  client = pods.add('client', '10.77.0.2');
  const server = pods.add('server', '10.77.0.3');
  pods.start(server, [process.execPath, '-e', SERVER]);
  dataPlane = startDataPlane({
    threads: 2,
    authority: {
      issue: (uri) => authority.issue(uri, uri.endsWith('/server') ? SERVER_SERIAL : undefined),
    },
    config: { checksRevocation: true },
    onRevocation: ({ kind, reporter }) => rejected.push(`${kind} ${reporter}`),
  });
  const workloads = [
    aWorkload({ name: 'client', addresses: ['10.77.0.2'], serviceAccount: 'client' }),
    aWorkload({ name: 'server', addresses: ['10.77.0.3'], serviceAccount: 'server' }),
  ];
  await dataPlane.applyAddresses({ resources: addressResources(workloads, []), removed: [] });
  for (const [index, pod] of [client, server].entries()) {
    const { uid, name, namespace, serviceAccount } = workloads[index]!;
    const network = NetworkNamespace.open(pod.path);
    namespaces.push(network);
    await dataPlane.startPod(
      { uid, name, namespace, serviceAccount, captureDns: false },
      network.fd,
    );
    await installRedirection(network, { node: 'test', bypassInbound: false, captureDns: false });
  }
});
afterAll(async () => {
  await dataPlane.stop();
  for (const namespace of namespaces) namespace.close();
  await pods[Symbol.asyncDispose]();
  authority[Symbol.dispose]();
});

function revoked(reporter: string): number {
  const flag = TRAFFIC_LABELS.indexOf('response_flags');
  return dataPlane.traffic.series
    .filter(({ labels }) => labels[0] === reporter && labels[flag] === 'CERT_REVOKED')
    .reduce((sum, { totals }) => sum + totals.closed, 0);
}

test('a revocation ends an open connection, and the next one is refused, both with CERT_REVOKED (C165) (C167)', async () => {
  const open = pods.start(client, [process.execPath, '-e', CLIENT]);
  const [output] = (await once(open.stdout!, 'data')) as [Buffer];
  expect(output.toString()).toBe('open\n');
  const ended = once(open, 'exit');
  dataPlane.updateRevocations(parseRevocationLists(authority.list([SERVER_SERIAL.toString(16)])));
  expect((await ended)[0]).toBe(7);
  await eventually(() => revoked('source') === 1);
  expect(rejected).toEqual(['revocation-rejected source']);
  const next = pods.start(client, [process.execPath, '-e', CLIENT]);
  expect((await once(next, 'exit'))[0]).toBe(7);
  await eventually(() => revoked('source') === 2);
});
