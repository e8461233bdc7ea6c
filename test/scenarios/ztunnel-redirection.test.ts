import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { closeSocket } from '../../packages/ztunnel/src/capture/libc.ts';
import { NetworkNamespace } from '../../packages/ztunnel/src/capture/netns.ts';
import {
  installRedirection,
  releaseRedirection,
  removeRedirection,
} from '../../packages/ztunnel/src/capture/redirection.ts';
import { listenInPod } from '../../packages/ztunnel/src/capture/sockets.ts';
import { INBOUND_PLAINTEXT_PORT } from '../../packages/ztunnel/src/ports.ts';
import { eventually } from '../fixtures/eventually.ts';
import { type PodNamespace, PodNamespaces } from '../fixtures/pod-namespaces.ts';
import { ReplacedProgram } from '../fixtures/replaced-program.ts';
import { SOCKET_SETTINGS } from '../fixtures/socket-settings.ts';

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

/** An application on the proxy's port, which closes its only connection and ends. */
const ONE_GOODBYE = `
const server = require('node:net').createServer((s) => { s.end('bye'); server.close(); });
server.listen(${INBOUND_PLAINTEXT_PORT}, () => console.log('up'));
`;

/** Says `up`, and sends back what it gets. */
const ECHO = `require('node:net').createServer((s) => s.pipe(s)).listen(9000, () => console.log('up'));`;

/** Sends its input on one connection and prints what comes back. */
const TALKER = `
const s = require('node:net').connect(9000, '10.78.0.3');
process.stdin.pipe(s).pipe(process.stdout);
`;

const RULES = { node: 'test', bypassInbound: false, captureDns: false };

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
  await removeRedirection(namespace, RULES.node);
  namespace.close();
});

test('callers that an ending proxy has not accepted are served by the one that takes over', async () => {
  const ending = listenInPod({ namespace, settings: SOCKET_SETTINGS }, INBOUND_PLAINTEXT_PORT);
  const next = listenInPod({ namespace, settings: SOCKET_SETTINGS }, INBOUND_PLAINTEXT_PORT);
  await installRedirection(namespace, RULES);
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
  await installRedirection(namespace, RULES);
  talker.stdin!.write('after');
  expect(String((await once(talker.stdout!, 'data'))[0])).toBe('after');
  expect(setting('netfilter/nf_conntrack_count')).toBe('0');
});

test.for([
  { what: 'as the kernel makes it', migrate: '0', loose: '1' },
  { what: 'whose settings were changed', migrate: '0', loose: '0' },
])(
  'after a capture by several processes a namespace $what has its settings, and tracks nothing',
  async ({ migrate, loose }) => {
    const names = ['ipv4/tcp_migrate_req', 'netfilter/nf_conntrack_tcp_loose'];
    // Tracking, and with it the second setting, begins with the first rule that needs it.
    await installRedirection(namespace, RULES);
    await removeRedirection(namespace, RULES.node);
    pods.run(server, ['sysctl', '-qw', `net.ipv4.tcp_migrate_req=${migrate}`]);
    pods.run(server, ['sysctl', '-qw', `net.netfilter.nf_conntrack_tcp_loose=${loose}`]);
    const listener = createServer().listen({
      fd: listenInPod({ namespace, settings: SOCKET_SETTINGS }, INBOUND_PLAINTEXT_PORT),
    });
    await installRedirection(namespace, RULES);
    await installRedirection(namespace, RULES);
    const calls = pods.start(client, [process.execPath, '-e', CALLER]);
    await once(listener, 'connection');
    expect(names.map(setting)).toEqual(['1', '0']);
    expect(setting('netfilter/nf_conntrack_count')).not.toBe('0');
    await removeRedirection(namespace, RULES.node);
    expect(names.map(setting)).toEqual([migrate, loose]);
    expect(setting('netfilter/nf_conntrack_count')).toBe('0');
    calls.kill();
    listener.close();
  },
);

test('connections that ended on a port of the proxy are no obstacle to listening there', async () => {
  const application = pods.start(server, [process.execPath, '-e', ONE_GOODBYE]);
  const ended = once(application, 'exit');
  await once(application.stdout!, 'data');
  const talker = `require('node:net').connect(${INBOUND_PLAINTEXT_PORT}, '10.78.0.3').resume().on('close', () => process.exit());`;
  pods.run(client, [process.execPath, '-e', talker]);
  await ended;
  expect(pods.run(server, ['ss', '-tanH'])).toMatch(/TIME-WAIT.*:15006/);
  closeSocket(listenInPod({ namespace, settings: SOCKET_SETTINGS }, INBOUND_PLAINTEXT_PORT));
});

test('a pod whose rules somebody flushed can leave, and come back before it has left', async () => {
  await installRedirection(namespace, RULES);
  const rules = pods.run(server, ['nft', 'list', 'ruleset']);
  pods.run(server, ['nft', 'flush', 'ruleset']);
  await releaseRedirection(namespace, 'inbound');
  await releaseRedirection(namespace, 'outbound');
  expect(pods.run(server, ['nft', 'list', 'ruleset'])).not.toContain('redirect');
  await installRedirection(namespace, RULES);
  expect(ruleLines(pods.run(server, ['nft', 'list', 'ruleset']))).toEqual(ruleLines(rules));
});

/** Without the settings of before, which are lost with the rules; chains have no order. */
function ruleLines(ruleset: string): string[] {
  const lines = ruleset.split('\n').filter((line) => !line.includes('comment'));
  return lines.toSorted();
}

test('a step that hangs is given up after ten seconds, with what it has started', async () => {
  const before = machineProcesses();
  using _hanging = new ReplacedProgram('nsenter', 'sleep 345 & wait');
  await expect(releaseRedirection(namespace, 'inbound')).rejects.toThrow('no end after 10 s');
  await eventually(() => machineProcesses().difference(before).size === 0);
});

/** Those that sleep as the hanging step does. */
function machineProcesses(): Set<string> {
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  return new Set(pids.filter((pid) => commandOf(pid).startsWith('sleep\x1c5')));
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** Connections in the backlogs of the pod's listeners. */
function waitingCallers(): number {
  const listeners = pods.run(server, ['ss', '-ltnH']).trim().split('\n');
  return listeners.reduce((sum, line) => sum + Number(line.split(/\s+/)[1]), 0);
}

function setting(name: string): string {
  return pods.run(server, ['cat', `/proc/sys/net/${name}`]).trim();
}
