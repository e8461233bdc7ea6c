import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Authorization, Workload } from '@aquifer/model';
import { encodeAuthorization } from '@aquifer/wire';
import { AuthorizationSchema } from '@aquifer/wire/gen/istio/security_pb';
import { toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NetworkNamespace } from '../../packages/ztunnel/src/capture/netns.ts';
import {
  installRedirection,
  releaseRedirection,
  removeRedirection,
} from '../../packages/ztunnel/src/capture/redirection.ts';
import type { DataPlane } from '../../packages/ztunnel/src/data-plane/data-plane.ts';
import type { CapturedPod } from '../../packages/ztunnel/src/policy/captured-pod.ts';
import { TRAFFIC_LABELS } from '../../packages/ztunnel/src/telemetry/labels.ts';
import { TestAuthority } from '../fixtures/certificates.ts';
import { eventually } from '../fixtures/eventually.ts';
import { aService, aWorkload } from '../fixtures/mesh-objects.ts';
import { type PodNamespace, PodNamespaces } from '../fixtures/pod-namespaces.ts';
import { addressResources, startDataPlane } from '../fixtures/test-data-plane.ts';

/** Two captured pods and an outsider on one link, one data plane of two threads, certificates from a test authority. */
const SERVER = `
const net = require('node:net'), http = require('node:http'), crypto = require('node:crypto');
http.createServer((req, res) => {
  const hash = crypto.createHash('sha256'); let bytes = 0;
  req.on('data', (chunk) => { hash.update(chunk); bytes += chunk.length; });
  req.on('end', () => res.end(JSON.stringify({ from: req.socket.remoteAddress, bytes, sha256: hash.digest('hex') })));
}).listen(8080, '0.0.0.0');
net.createServer({ allowHalfOpen: true }, (s) => {
  let got = ''; s.on('data', (d) => { got += d; }); s.on('end', () => s.end('got ' + got)); s.on('error', () => {});
}).listen(9000, '0.0.0.0');
net.createServer({ allowHalfOpen: true }, (s) => { s.on('error', () => {}); s.pipe(s); }).listen(9200, '0.0.0.0');
net.createServer((s) => { const t = setInterval(() => s.write('tick\\n'), 50); s.on('close', () => clearInterval(t)); s.on('error', () => {}); }).listen(9100, '0.0.0.0');
`;

/**
 * Sends 2 MB on each of 40 connections to an echo, in pieces of 1 byte to 200 kB, and reads with pauses, so that every
 * buffer on the way fills. Byte n of connection i tells both. Prints how many connections got back what they sent.
 */
const ECHO_CLIENT = `
const net = require('node:net'), { once } = require('node:events'), { setTimeout: delay } = require('node:timers/promises');
const BYTES = 2_000_000;
const byteOf = (i, n) => (n * (2 * i + 1) + (n >> 8) + i) & 255;
async function run(i) {
  const s = net.connect({ port: 9200, host: '10.77.0.3', allowHalfOpen: true });
  const sending = (async () => {
    for (let at = 0; at < BYTES; ) {
      const length = Math.min(BYTES - at, [1, 100, 5_000, 9_000, 70_000, 200_000][(at + i) % 6]);
      if (!s.write(Uint8Array.from({ length }, (_, k) => byteOf(i, at + k)))) await once(s, 'drain');
      at += length;
    }
    s.end();
  })();
  let got = 0;
  for await (const chunk of s) {
    for (const byte of chunk) if (byte !== byteOf(i, got++)) throw new Error('connection ' + i + ' differs at ' + (got - 1));
    if (got % 3 === 0) await delay(i % 5);
  }
  await sending;
  return got === BYTES;
}
Promise.all(Array.from({ length: 40 }, (_, i) => run(i))).then((all) => console.log(all.filter(Boolean).length));
`;

/** Reads from one connection until it ends, and then exits with 7. */
const LISTENER = [
  process.execPath,
  '-e',
  "const s = require('node:net').connect(9100, '10.77.0.3'); s.resume(); s.on('error', () => {}); s.on('close', () => process.exit(7));",
];

const RULES = { node: 'test', bypassInbound: false, captureDns: false };

/** How long a program takes that does nothing: how busy the machine is. Some 30 ms if it is not. */
function timeOfNothing(): number {
  const startMs = performance.now();
  pods.run(client, ['true']);
  return performance.now() - startMs;
}

let pods: PodNamespaces;
let client: PodNamespace;
let server: PodNamespace;
let outsider: PodNamespace;
let dataPlane: DataPlane;
let authority: TestAuthority;
const namespaces: NetworkNamespace[] = [];

const clientWorkload = aWorkload({ name: 'client', addresses: ['10.77.0.2'] });
const serverWorkload = aWorkload({
  name: 'server',
  addresses: ['10.77.0.3'],
  services: ['shop/server.shop.svc.cluster.local'],
});
const serverService = aService({ name: 'server', vip: '10.96.0.1' });

async function setPolicies(
  policies: readonly Authorization[],
  removed: readonly string[] = [],
  proxies = dataPlane,
): Promise<void> {
  const resources = policies.map((policy) => ({
    name: `${policy.namespace}/${policy.name}`,
    body: toBinary(AuthorizationSchema, encodeAuthorization(policy)),
  }));
  await proxies.applyPolicies({ resources, removed });
}

function curl(from: PodNamespace, url: string, ...args: string[]): string {
  return pods.run(from, ['curl', '-s', '--max-time', '5', ...args, url]);
}

function connections(flag: string): number {
  const column = TRAFFIC_LABELS.indexOf('response_flags');
  let count = 0;
  for (const { labels, totals } of dataPlane.traffic.series) {
    if (labels[column] === flag) count += totals.closed;
  }
  return count;
}

function podOf({ uid, name, namespace, serviceAccount }: Workload): CapturedPod {
  return { uid, name, namespace, serviceAccount, captureDns: false };
}

beforeAll(async () => {
  authority = new TestAuthority();
  pods = new PodNamespaces('aqt');
  client = pods.add('client', '10.77.0.2');
  server = pods.add('server', '10.77.0.3');
  outsider = pods.add('outsider', '10.77.0.4');
  for (const pod of [client, server, outsider]) {
    pods.run(pod, ['ip', 'route', 'add', '10.96.0.0/16', 'dev', 'eth0']);
  }
  pods.start(server, [process.execPath, '-e', SERVER]);
  dataPlane = startDataPlane({ threads: 2, authority });
  await dataPlane.applyAddresses({
    resources: addressResources([clientWorkload, serverWorkload], [serverService]),
    removed: [],
  });
  for (const [pod, workload] of [
    [client, clientWorkload],
    [server, serverWorkload],
  ] as const) {
    const namespace = NetworkNamespace.open(pod.path);
    namespaces.push(namespace);
    await dataPlane.startPod(podOf(workload), namespace.fd);
    await installRedirection(namespace, RULES);
  }
  await eventually(() => curlStatus(client, 'http://10.77.0.3:8080/') === '200');
});

function curlStatus(from: PodNamespace, url: string): string {
  try {
    return curl(from, url, '-o', '/dev/null', '-w', '%{http_code}');
  } catch (error) {
    return String((error as { stdout?: string }).stdout || error);
  }
}

afterAll(async () => {
  await dataPlane.stop();
  for (const namespace of namespaces) namespace.close();
  await pods[Symbol.asyncDispose]();
  authority[Symbol.dispose]();
});

const ALLOW_NOBODY: Authorization = {
  name: 'nobody',
  namespace: 'shop',
  scope: 'namespace',
  action: 'allow',
  groups: [],
  dryRun: false,
};

describe('a captured connection', () => {
  test('travels through a tunnel and reaches the application from the client own address', async () => {
    const before = tunnelledConnections();
    expect(JSON.parse(curl(client, 'http://10.77.0.3:8080/'))).toMatchObject({ from: '10.77.0.2' });
    await eventually(() => tunnelledConnections() >= before + 2);
  });

  test('to a service goes to an endpoint on its target port', () => {
    expect(JSON.parse(curl(client, 'http://10.96.0.1/'))).toMatchObject({ from: '10.77.0.2' });
  });

  test('carries 100 MB unchanged (C268)', () => {
    const upload = `head -c 100000000 /dev/zero | tr '\\0' 'x' | curl -s --max-time 20 -T - http://10.77.0.3:8080/`;
    const answer = JSON.parse(pods.run(client, ['sh', '-c', upload], 30_000)) as {
      bytes: number;
      sha256: string;
    };
    const expected = createHash('sha256').update(Buffer.alloc(100_000_000, 'x')).digest('hex');
    expect(answer).toMatchObject({ bytes: 100_000_000, sha256: expected });
  });

  test('keeps its bytes apart from those of forty others, though all are read slowly (C268)', () => {
    expect(pods.run(client, [process.execPath, '-e', ECHO_CLIENT], 60_000).trim()).toBe('40');
  });

  test('may be half-closed and still be answered', () => {
    const script = `
      const s = require('node:net').connect({ port: 9000, host: '10.77.0.3', allowHalfOpen: true });
      s.end('half'); s.setEncoding('utf8'); s.on('data', (d) => process.stdout.write(d));`;
    expect(pods.run(client, [process.execPath, '-e', script])).toBe('got half');
  });

  test('to a service reaches an endpoint that answers, though another takes connections and says nothing', async () => {
    const silence = "require('node:net').createServer().listen(15008, () => console.log('up'))";
    const silent = pods.start(outsider, [process.execPath, '-e', silence]);
    await once(silent.stdout!, 'data');
    const services = ['shop/half.shop.svc.cluster.local'];
    const endpoints = [
      aWorkload({ name: 'silent', addresses: ['10.77.0.4'], services }),
      { ...serverWorkload, services: aWorkload({ name: 'server', services }).services },
    ];
    const half = aService({ name: 'half', vip: '10.96.0.2' });
    await dataPlane.applyAddresses({ resources: addressResources(endpoints, [half]), removed: [] });
    const url = 'http://10.96.0.2/';
    const codes = Array.from({ length: 6 }, async () => {
      const curl = pods.start(client, ['curl', '-sf', '-o', '/dev/null', '--max-time', '20', url]);
      const [code] = (await once(curl, 'exit')) as [number];
      return code;
    });
    expect(await Promise.all(codes)).toEqual([0, 0, 0, 0, 0, 0]);
    await dataPlane.applyAddresses({
      resources: addressResources([serverWorkload], []),
      removed: [endpoints[0]!.uid],
    });
    const ended = once(silent, 'exit');
    silent.kill();
    await ended;
  }, 40_000);

  test('to a closed port is reset rather than ended cleanly', () => {
    expect(curlStatus(client, 'http://10.77.0.3:81/')).toBe('000');
  });
});

describe('a pod outside the mesh', () => {
  test('is let in as plaintext, from its own address', () => {
    expect(JSON.parse(curl(outsider, 'http://10.77.0.3:8080/'))).toMatchObject({
      from: '10.77.0.4',
    });
  });

  test('gets nothing but a closed connection from the ports of the proxy', () => {
    for (const port of [15001, 15006, 15008]) {
      expect(curlStatus(outsider, `http://10.77.0.3:${port}/`)).toBe('000');
    }
    expect(curlStatus(client, 'http://10.77.0.3:8080/')).toBe('200');
  });
});

test('a pod whose port is taken is not captured, and keeps no listener', async () => {
  const application = pods.start(outsider, [
    process.execPath,
    '-e',
    "require('node:net').createServer().listen(15006, () => console.log('listening'))",
  ]);
  await once(application.stdout!, 'data');
  const namespace = NetworkNamespace.open(outsider.path);
  namespaces.push(namespace);
  const pod = {
    uid: 'outsider',
    name: 'outsider',
    namespace: 'shop',
    serviceAccount: 'outsider',
    captureDns: false,
  };
  await expect(dataPlane.startPod(pod, namespace.fd)).rejects.toThrow(
    'port 15006: bind failed: EADDRINUSE, a program of the pod listens on it',
  );
  const listening = pods.run(outsider, ['ss', '-ltnH']).trim().split('\n');
  expect(listening).toEqual([expect.stringContaining(':15006')]);
  const ended = once(application, 'exit');
  application.kill();
  await ended;
  await dataPlane.startPod(pod, namespace.fd);
  await dataPlane.stopPod(pod.uid);
});

test('a policy cuts an open connection within a second and refuses new ones until it is gone', async () => {
  const ticking = pods.start(client, LISTENER);
  await expect.poll(() => openInbound()).toBe(1);
  const ended = new Promise((resolve) => ticking.once('exit', resolve));
  const slowdownMs = timeOfNothing();
  const startMs = performance.now();
  await setPolicies([ALLOW_NOBODY]);
  expect(await ended).toBe(7);
  expect(performance.now() - startMs).toBeLessThan(Math.max(1_000, 10 * slowdownMs));
  expect(curlStatus(client, 'http://10.77.0.3:8080/')).toBe('000');
  await eventually(() => connections('DENY') >= 2);
  await setPolicies([], ['shop/nobody']);
  expect(curlStatus(client, 'http://10.77.0.3:8080/')).toBe('200');
});

test('released pods connect directly and leave neither rules nor routes behind', async () => {
  for (const [pod, workload] of [
    [client, clientWorkload],
    [server, serverWorkload],
  ] as const) {
    const namespace = NetworkNamespace.open(pod.path);
    namespaces.push(namespace);
    await releaseRedirection(namespace, 'inbound', 'outbound');
    await dataPlane.stopPod(workload.uid);
    await removeRedirection(namespace, RULES.node);
    expect(pods.run(pod, ['nft', 'list', 'ruleset'])).toBe('');
    expect(pods.run(pod, ['ip', 'rule'])).not.toContain('fwmark');
    expect(pods.run(pod, ['ss', '-ltnH'])).not.toContain(':15001');
  }
  expect(JSON.parse(curl(client, 'http://10.77.0.3:8080/'))).toMatchObject({ from: '10.77.0.2' });
});

test('a pod waits to be described, and then proves the trust domain that it was given', async () => {
  const asked: string[] = [];
  const issue = (identity: string) => {
    asked.push(identity);
    return authority.issue(identity);
  };
  const proxy = startDataPlane({ threads: 1, authority: { issue } });
  const namespace = NetworkNamespace.open(outsider.path);
  namespaces.push(namespace);
  const trustDomain = 'other.example';
  const workload = aWorkload({ name: 'outsider', addresses: ['10.77.0.4'], trustDomain });
  await proxy.startPod(podOf(workload), namespace.fd);
  expect(asked).toEqual([]);
  const resources = addressResources([workload], []);
  await proxy.applyAddresses({ resources, removed: [] });
  await eventually(() => asked.length > 0);
  expect(asked).toEqual(['spiffe://other.example/ns/shop/sa/outsider']);
  await proxy.stop();
});

test('a proxy that is being replaced still cuts what a policy forbids, and nothing because its pod is unknown for a moment', async () => {
  const leaving = startDataPlane({ threads: 1, authority });
  await leaving.applyAddresses({ resources: addressResources([serverWorkload], []), removed: [] });
  const namespace = NetworkNamespace.open(server.path);
  namespaces.push(namespace);
  await leaving.startPod(podOf(serverWorkload), namespace.fd);
  await installRedirection(namespace, RULES);
  const ticking = pods.start(outsider, LISTENER);
  const ended = once(ticking, 'exit');
  await expect.poll(() => openInbound(leaving)).toBe(1);
  await leaving.drain();
  // What is not known for a moment is not forbidden.
  await leaving.applyAddresses({ resources: [], removed: [serverWorkload.uid] });
  const unrelated = aWorkload({ name: 'unrelated', addresses: ['10.77.0.99'] });
  const resources = addressResources([unrelated], []);
  await leaving.applyAddresses({ resources, removed: [] });
  expect(await openInbound(leaving)).toBe(1);
  await setPolicies([ALLOW_NOBODY], [], leaving);
  expect(await ended).toEqual([7, null]);
  await leaving.stop();
  await removeRedirection(namespace, RULES.node);
});

function tunnelledConnections(): number {
  const column = TRAFFIC_LABELS.indexOf('connection_security_policy');
  let count = 0;
  for (const { labels, totals } of dataPlane.traffic.series) {
    if (labels[column] === 'mutual_tls') count += totals.closed;
  }
  return count;
}

async function openInbound(proxies = dataPlane): Promise<number> {
  const open = await proxies.connections();
  return open[serverWorkload.uid]?.inbound.length ?? 0;
}
