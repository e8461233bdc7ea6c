import { closeSync } from 'node:fs';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NetworkNamespace } from '../../packages/ztunnel/src/capture/netns.ts';
import {
  INBOUND_PLAINTEXT_PORT,
  installRedirection,
  removeRedirection,
} from '../../packages/ztunnel/src/capture/redirection.ts';
import { listenInPod } from '../../packages/ztunnel/src/capture/sockets.ts';
import { type PodNamespace, PodNamespaces } from '../fixtures/pod-namespaces.ts';

const CALLERS = 40;
const SETTING = ['cat', '/proc/sys/net/ipv4/tcp_migrate_req'];

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

let pods: PodNamespaces;
let client: PodNamespace;
let server: PodNamespace;

beforeAll(() => {
  pods = new PodNamespaces('aqk');
  client = pods.add('client', '10.78.0.2');
  server = pods.add('server', '10.78.0.3');
});

afterAll(async () => {
  await pods[Symbol.asyncDispose]();
});

test('callers that an ending proxy has not accepted are served by the one that takes over', async () => {
  const namespace = NetworkNamespace.open(server.path);
  const ending = listenInPod(namespace, INBOUND_PLAINTEXT_PORT);
  const next = listenInPod(namespace, INBOUND_PLAINTEXT_PORT);
  await installRedirection(server.path, { bypassInbound: false });
  // The kernel deals them out between the two; nobody accepts any yet.
  const calls = pods.start(client, [process.execPath, '-e', CALLER]);
  const answers = text(calls.stdout!);
  await expect.poll(() => waiting()).toBe(CALLERS);
  closeSync(ending);
  const heir = createServer((socket) => socket.end('next')).listen({ fd: next });
  try {
    expect((await answers).trim()).toBe('next');
  } finally {
    heir.close();
    await removeRedirection(server.path);
    namespace.close();
  }
  expect(pods.run(server, SETTING).trim()).toBe('0');
});

/** Connections in the backlogs of the pod's listeners. */
function waiting(): number {
  const listeners = pods.run(server, ['ss', '-ltnH']).trim().split('\n');
  return listeners.reduce((sum, line) => sum + Number(line.split(/\s+/)[1]), 0);
}
