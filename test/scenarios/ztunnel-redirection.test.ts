import { once } from 'node:events';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { forgetConnections } from '../../packages/ztunnel/src/capture/conntrack.ts';
import { closeSocket } from '../../packages/ztunnel/src/capture/libc.ts';
import { NetworkNamespace } from '../../packages/ztunnel/src/capture/netns.ts';
import {
  INBOUND_PLAINTEXT_PORT,
  installRedirection,
  removeRedirection,
} from '../../packages/ztunnel/src/capture/redirection.ts';
import { listenInPod } from '../../packages/ztunnel/src/capture/sockets.ts';
import { type PodNamespace, PodNamespaces } from '../fixtures/pod-namespaces.ts';

const CALLERS = 40;

/** Connects many times and prints what it was told on each connection. */
const CALLER = `
const net = require('node:net');
const told = Array.from({ length: ${CALLERS} }, () => new Promise((resolve) => {
  const s = net.connect(8080, '10.78.0.3');
  s.setEncoding('utf8');
  s.on('data', resolve);
  s.on('error', ({ code }) => resolve(code));
}));
Promise.all(told).then((all) => { console.log([...new Set(all)].join()); process.exit(); });
`;

/** Says `up`, and sends back what it gets. */
const ECHO = `require('node:net').createServer((s) => s.pipe(s)).listen(9000, () => console.log('up'));`;

/** Sends its input on one connection and prints what comes back. */
const TALKER = `
const s = require('node:net').connect(9000, '10.78.0.3');
process.stdin.pipe(s).pipe(process.stdout);
`;

let pods: PodNamespaces;
let client: PodNamespace;
let server: PodNamespace;
let namespace: NetworkNamespace;

beforeAll(() => {
  pods = new PodNamespaces('aqk');
  client = pods.add('client', '10.78.0.2');
  server = pods.add('server', '10.78.0.3');
});
afterAll(async () => {
  await pods[Symbol.asyncDispose]();
});
beforeEach(() => {
  namespace = NetworkNamespace.open(server.path);
});
afterEach(async () => {
  await removeRedirection(server.path);
  forgetConnections(namespace);
  namespace.close();
});

test('callers that an ending proxy has not accepted are served by the one that takes over', async () => {
  const ending = listenInPod(namespace, INBOUND_PLAINTEXT_PORT);
  const next = listenInPod(namespace, INBOUND_PLAINTEXT_PORT);
  await installRedirection(server.path, { bypassInbound: false });
  // The kernel deals them out between the two; nobody accepts any yet.
  const calls = pods.start(client, [process.execPath, '-e', CALLER]);
  const answers = text(calls.stdout!);
  await expect.poll(waitingCallers).toBe(CALLERS);
  closeSocket(ending);
  const heir = createServer((socket) => socket.end('next')).listen({ fd: next });
  expect((await answers).trim()).toBe('next');
  heir.close();
});

test('a connection older than the capture goes on, and is not tracked', async () => {
  const echo = pods.start(server, [process.execPath, '-e', ECHO]);
  await once(echo.stdout!, 'data');
  const talker = pods.start(client, [process.execPath, '-e', TALKER]);
  talker.stdin!.write('before');
  expect(String((await once(talker.stdout!, 'data'))[0])).toBe('before');
  await installRedirection(server.path, { bypassInbound: false });
  talker.stdin!.write('after');
  expect(String((await once(talker.stdout!, 'data'))[0])).toBe('after');
  expect(setting('netfilter/nf_conntrack_count')).toBe('0');
});

test('when the capture ends, what was tracked is forgotten and the settings are as they were', async () => {
  const names = ['ipv4/tcp_migrate_req', 'netfilter/nf_conntrack_tcp_loose'];
  const before = names.map(setting);
  const listener = createServer().listen({ fd: listenInPod(namespace, INBOUND_PLAINTEXT_PORT) });
  await installRedirection(server.path, { bypassInbound: false });
  const calls = pods.start(client, [process.execPath, '-e', CALLER]);
  await once(listener, 'connection');
  expect(names.map(setting)).not.toEqual(before);
  await removeRedirection(server.path);
  expect(names.map(setting)).toEqual(before);
  expect(setting('netfilter/nf_conntrack_count')).not.toBe('0');
  forgetConnections(namespace);
  expect(setting('netfilter/nf_conntrack_count')).toBe('0');
  calls.kill();
  listener.close();
});

/** Connections in the backlogs of the pod's listeners. */
function waitingCallers(): number {
  const listeners = pods.run(server, ['ss', '-ltnH']).trim().split('\n');
  return listeners.reduce((sum, line) => sum + Number(line.split(/\s+/)[1]), 0);
}

function setting(name: string): string {
  return pods.run(server, ['cat', `/proc/sys/net/${name}`]).trim();
}
