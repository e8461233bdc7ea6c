import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ConnectListener, type ConnectRequest, exchangeDuplex, splice } from '@aquifer/hbone';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NetworkNamespace } from '../../packages/ztunnel/src/capture/netns.ts';
import type { PodSockets } from '../../packages/ztunnel/src/capture/pod-sockets.ts';
import { installRedirection } from '../../packages/ztunnel/src/capture/redirection.ts';
import { dialInPod, listenInPod } from '../../packages/ztunnel/src/capture/sockets.ts';
import { CniNodeAgent } from '../fixtures/cni-node-agent.ts';
import { eventually } from '../fixtures/eventually.ts';
import { type PodNamespace, PodNamespaces } from '../fixtures/pod-namespaces.ts';
import {
  GATEWAY,
  IP,
  MESH,
  NAMES,
  NODE,
  OUTSIDER,
  WAYPOINT,
} from '../fixtures/shared-node-mesh.ts';
import { SOCKET_SETTINGS } from '../fixtures/socket-settings.ts';
import { tunnelsTo } from '../fixtures/tunnels.ts';
import { AuthorityProcess, ZtunnelProcess } from '../fixtures/ztunnel-process.ts';

// A node proxy as a process that serves the pods which Istio's node agent hands to it, beside a waypoint, a gateway and a
// pod outside of the mesh.

/** Says who it is, and then everything back. */
const APPLICATION = `
require('node:net').createServer((s) => { s.on('error', () => {}); s.write(process.argv[1] + ' '); s.pipe(s); })
  .listen(8080, '0.0.0.0', () => console.log('up'));
`;

/** Says what the header of the PROXY protocol tells it that the caller aimed at. */
const TUNNELLED = `
require('node:net').createServer((s) => s.on('error', () => {}).once('data', (b) => {
  const ip = [...b.subarray(20, 24)].join('.');
  s.end('aimed at ' + ip + ':' + b.readUInt16BE(26));
})).listen(15088, '127.0.0.1', () => console.log('up'));
`;

let pods: PodNamespaces;
let node: PodNamespace;
let outsider: PodNamespace;
let authority: AuthorityProcess;
let ztunnel: ZtunnelProcess;
let agent: CniNodeAgent;
const folder = mkdtempSync(join(tmpdir(), 'shared-'));
const captured = new Map<string, PodNamespace>();
const ends: (() => void)[] = [];

function identity(name: string): string {
  return `spiffe://cluster.local/ns/shop/sa/${name}`;
}

function enter(pod: PodNamespace): PodSockets {
  const namespace = NetworkNamespace.open(pod.path);
  ends.push(() => namespace.close());
  return { namespace, settings: SOCKET_SETTINGS };
}

/** Takes tunnels at an address, or at a port of its own of this machine, as what is not captured. */
async function takeTunnels(
  name: string,
  pod: PodNamespace | null,
  onConnect: (request: ConnectRequest) => void,
): Promise<number> {
  const listener = new ConnectListener({
    certificate: await authority.issue(identity(name)),
    trustDomain: 'cluster.local',
    onConnect,
    onHandshakeFailed: () => undefined,
  });
  if (pod === null) listener.server.listen(0, '127.0.0.1');
  else listener.server.listen({ fd: listenInPod(enter(pod), 15_008) });
  await once(listener.server, 'listening');
  ends.push(() => listener.abort());
  return (listener.server.address() as AddressInfo).port;
}

function echo(request: ConnectRequest): void {
  const { authority: aimedAt } = request;
  const stream = exchangeDuplex(request.accept({ baggage: 'k8s.pod.name=echo,service.name=echo' }));
  stream.on('error', () => undefined).write(`through for ${aimedAt} `);
  stream.pipe(stream);
}

/** What a pod hears that says a word: everything until the word comes back or the connection ends. */
async function say(from: PodNamespace, to: string, word = 'hello'): Promise<string> {
  const [ip, port] = to.split(':');
  const script = `
    let heard = '';
    const s = require('node:net').connect(${port}, '${ip}', () => s.write('${word}'));
    const done = () => { console.log(heard); process.exit(); };
    s.on('data', (d) => { heard += d; if (heard.includes('${word}')) done(); }).on('close', done);
    s.on('error', (e) => { heard += e.code; });
    setTimeout(() => { heard += 'SILENCE'; done(); }, 4000);`;
  const child = pods.start(from, [process.execPath, '-e', script]);
  return (await text(child.stdout!)).trim();
}

function pod(name: (typeof NAMES)[number]): PodNamespace {
  return captured.get(name)!;
}

/** Fields of the newest access line of a direction. */
async function lastAccess(direction: string): Promise<Record<string, string>> {
  const line = await eventually(() =>
    ztunnel.accessLines().findLast((each) => each.includes(`direction="${direction}"`)),
  );
  const fields = line.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S+))/g);
  return Object.fromEntries([...fields].map(([, key, quoted, bare]) => [key, quoted ?? bare]));
}

beforeAll(async () => {
  pods = new PodNamespaces('aqs');
  node = pods.add('node', NODE);
  for (const name of NAMES) captured.set(name, pods.add(name, IP[name]));
  const [waypoint, gateway] = [pods.add('waypoint', WAYPOINT), pods.add('gateway', GATEWAY)];
  outsider = pods.add('outsider', OUTSIDER);
  for (const each of [...captured.values(), outsider]) {
    pods.run(each, ['ip', 'route', 'add', '10.96.0.0/16', 'dev', 'eth0']);
  }
  authority = await AuthorityProcess.start(pods, node, '127.0.0.1:15010');
  for (const name of ['server', 'second'] as const) {
    const program = pods.start(pod(name), [process.execPath, '-e', APPLICATION, name]);
    await once(program.stdout!, 'data');
  }
  const program = pods.start(pod('sandwich'), [process.execPath, '-e', TUNNELLED]);
  await once(program.stdout!, 'data');
  await takeTunnels('waypoint', waypoint, echo);
  const behind = await takeTunnels('echo', null, echo);
  await takeTunnels('gateway', gateway, (request) => {
    const inner = connect({ port: behind, host: '127.0.0.1', allowHalfOpen: true });
    const counters = { received: () => undefined, sent: () => undefined };
    inner.once('connect', () => void splice(request.accept(), inner, counters));
  });
  agent = new CniNodeAgent(join(folder, 'ztunnel.sock'));
  ztunnel = new ZtunnelProcess(pods, node, {
    NODE_NAME: 'n1',
    INPOD_UDS: join(folder, 'ztunnel.sock'),
    LOCAL_XDS: MESH,
    XDS_ADDRESS: '',
    CA_ADDRESS: 'http://127.0.0.1:15010',
  });
  await agent.accept();
  for (const name of NAMES) {
    const info = { name, namespace: 'shop', serviceAccount: name };
    const add = { case: 'add' as const, value: { uid: name, workloadInfo: info } };
    const refused = await agent.ask(add, [pod(name).path]);
    if (refused !== '') throw new Error(refused);
    const rules = { node: 'n1', bypassInbound: false, captureDns: false };
    await installRedirection(enter(pod(name)).namespace, rules);
  }
  await agent.ask({ case: 'snapshotSent', value: {} });
  await ztunnel.untilReady();
});

afterAll(async () => {
  for (const end of ends) end();
  await ztunnel.stop();
  await authority.stop();
  await pods[Symbol.asyncDispose]();
  agent[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

test.for([
  ['captured', 'captured', true],
  ['captured', 'not captured', false],
  ['not captured', 'captured', false],
] as const)(
  'a %s pod reaches one that is %s, and identities are told where both are: %s (C250)',
  async ([from, to, isMutual]) => {
    const source = from === 'captured' ? pod('client') : outsider;
    if (to === 'captured') expect(await say(source, `${IP.server}:8080`)).toBe('server hello');
    else expect(await say(source, `${NODE}:15021`, 'x\\r\\n\\r\\n')).toContain('400');
    // The newest line is that of this connection as soon as it has its addresses.
    const ends = {
      src: from === 'captured' ? IP.client : OUTSIDER,
      dst: to === 'captured' ? IP.server : NODE,
    };
    const line = await eventually(async () => {
      const last = await lastAccess(to === 'captured' ? 'inbound' : 'outbound');
      const isOurs = last['src.addr']?.startsWith(`${ends.src}:`);
      return isOurs && last['dst.addr']?.startsWith(`${ends.dst}:`) ? last : null;
    });
    expect('src.identity' in line).toBe(isMutual);
    expect('dst.identity' in line).toBe(isMutual);
  },
);

describe('a waypoint', () => {
  test.for([
    ['of a workload, by address', '10.78.0.20:8080', undefined],
    ['of a workload, by hostname', '10.78.0.21:8080', undefined],
    ['of a service, by address', '10.96.0.3:80', 'for-ip.shop.svc.cluster.local'],
    ['of a service, by hostname', '10.96.0.4:80', 'for-name.shop.svc.cluster.local'],
  ] as const)('%s, gets what is for %s (C251)', async ([, target, hostname]) => {
    expect(await say(pod('client'), target)).toBe(`through for ${target} hello`);
    await expect
      .poll(() => lastAccess('outbound'))
      .toMatchObject({
        'dst.addr': `${WAYPOINT}:15008`,
        'dst.hbone_addr': target,
        'dst.workload': 'waypoint',
        'dst.identity': identity('waypoint'),
      });
    expect((await lastAccess('outbound'))['dst.service']).toBe(hostname);
  });

  test('that is captured, and takes tunnels as connections of its own, is told for whom (C253)', async () => {
    expect(await say(pod('client'), '10.78.0.22:8080')).toBe('aimed at 10.78.0.22:8080');
  });
});

test('a service of another network is reached through the gateway, in two tunnels, whose end is named (C252)', async () => {
  const authorityOfBoth = 'remote.shop.svc.cluster.local:80';
  expect(await say(pod('client'), '10.96.0.5:80')).toBe(`through for ${authorityOfBoth} hello`);
  await expect
    .poll(() => lastAccess('outbound'))
    .toMatchObject({
      'dst.addr': `${GATEWAY}:15008`,
      'dst.hbone_addr': authorityOfBoth,
      'dst.workload': 'echo',
      'dst.identity': identity('echo'),
    });
});

test('connections to a service are spread over its endpoints, and counted for it on both sides (C254)', async () => {
  const script = `
    const net = require('node:net');
    const one = () => new Promise((done) => net.connect(80, '10.96.0.1').once('data', (d) => done(String(d).trim())));
    (async () => { const seen = []; for (let i = 0; i < 51; i++) seen.push(await one()); console.log(seen.join()); process.exit(); })();`;
  const seen = pods.run(pod('client'), [process.execPath, '-e', script]).trim().split(',');
  expect(seen).toHaveLength(51);
  expect(new Set(seen)).toEqual(new Set(['server', 'second']));
  const metrics = ztunnel.get(15_020, '/metrics');
  for (const reporter of ['source', 'destination']) {
    const counted = new RegExp(
      `istio_tcp_connections_opened_total\\{reporter="${reporter}".*destination_service="server.shop.svc.cluster.local".*\\} (\\d+)`,
      'g',
    );
    const sum = [...metrics.matchAll(counted)].reduce((all, [, count]) => all + Number(count), 0);
    expect(sum).toBeGreaterThanOrEqual(51);
  }
});

test('a workload that has only a hostname is resolved for each connection, and counted in one series (C259)', async () => {
  for (let i = 0; i < 2; i++) {
    expect(await say(pod('client'), '10.96.0.6:80', 'x\\r\\n\\r\\n')).toContain('400');
  }
  const metrics = ztunnel.get(15_020, '/metrics');
  const counted = [...metrics.matchAll(/^istio_on_demand_dns_total\{.*\} (\d+)$/gm)];
  expect(counted.map(([, count]) => count)).toEqual(['2']);
});

describe('one pod that opens connections without end', () => {
  const HOARDER = `
    let open = 0, refused = 0;
    const [count, ip] = process.argv.slice(1);
    const one = () => new Promise((settled) => {
      const s = require('node:net').connect(8080, ip);
      s.once('data', () => { open++; settled(); }).on('error', () => {}).once('close', () => { refused++; settled(); });
      setTimeout(settled, 8000);
    });
    (async () => {
      for (let i = 0; i < count; i += 100) await Promise.all(Array.from({ length: 100 }, one));
      console.log(open + ' ' + refused);
    })();`;

  /** Resolves with how many are open, and were refused; they stay until the process is ended. */
  async function hoard(count: number) {
    const command = [process.execPath, '-e', HOARDER, String(count), IP.server];
    const child = pods.start(pod('client'), command);
    const [told] = (await once(child.stdout!, 'data')) as [Buffer];
    const [open, refused] = String(told).trim().split(' ').map(Number);
    return { open: open!, refused: refused!, end: () => child.kill('SIGKILL') };
  }

  const descriptors = () => readdirSync(`/proc/${ztunnel.pid}/fd`).length;

  /** But for tunnels that stay for a while: forty of a hundred connections each, and both ends are here. */
  async function expectGivenBack(before: number): Promise<void> {
    await expect.poll(descriptors, { timeout: 20_000 }).toBeLessThan(before + 100);
  }

  test('takes nothing from others, and leaves nothing', async () => {
    const before = descriptors();
    const { open, refused, end } = await hoard(4000);
    expect([open, refused]).toEqual([4000, 0]);
    expect(await say(pod('second'), `${IP.server}:8080`)).toBe('server hello');
    end();
    await expectGivenBack(before);
  });

  test('up to the limit of descriptors leaves what is open alone, and others are served again after it', async () => {
    const before = descriptors();
    const held = await hoard(100);
    const limit = (most: number) =>
      execFileSync('prlimit', [`--pid=${ztunnel.pid}`, `--nofile=${most}:`]);
    limit(descriptors() + 100);
    try {
      const { open, end } = await hoard(400);
      expect(open).toBeLessThan(400);
      end();
    } finally {
      limit(20_000);
    }
    await expectGivenBack(before + 250);
    expect(await say(pod('second'), `${IP.server}:8080`)).toBe('server hello');
    held.end();
    await expectGivenBack(before);
  });
});

test('a client that tunnels to a pod and names itself is refused with 400 (C079)', async () => {
  const certificate = await authority.issue(identity('outsider'));
  const sockets = enter(outsider);
  const to = { ip: IP.server, port: 15_008 };
  const dial = () => dialInPod(sockets, to, { sourceIp: null });
  const tunnels = tunnelsTo(15_008, { certificate, dial });
  await expect(tunnels.lease(`${OUTSIDER}:8080`)).rejects.toThrow('http status: 400');
  await expect
    .poll(() => lastAccess('inbound'))
    .toMatchObject({
      error: `ip mismatch: ${IP.server} != ${OUTSIDER}`,
    });
});

describe('a call to a port of the proxy', () => {
  const GARBAGE = 'x\\r\\n\\r\\n';
  /** A TLS alert is nothing but control characters. */
  const ANSWERS = {
    nothing: /^(|ECONNRESET|\W{1,16})$/,
    'a refusal': /^ECONNREFUSED$/,
    'an error of HTTP': /400/,
  };

  test.for([
    ['client', NODE, [15_001, 15_006, 15_000, 15_080, 15_008], 'nothing'],
    ['client', NODE, [15_020, 15_021], 'an error of HTTP'],
    ['client', IP.client, [15_001, 15_006, 15_008], 'nothing'],
    ['client', '127.0.0.1', [15_001, 15_006, 15_008], 'nothing'],
    ['client', IP.client, [15_080, 15_000, 15_020, 15_021], 'a refusal'],
    ['client', '127.0.0.1', [15_080, 15_000, 15_020, 15_021], 'a refusal'],
    ['outsider', NODE, [15_001, 15_006, 15_000, 15_080], 'a refusal'],
    // It has a listener for tunnels of its own only where it is told which pod it is.
    ['outsider', NODE, [15_008], 'a refusal'],
    ['outsider', NODE, [15_020, 15_021], 'an error of HTTP'],
    ['outsider', IP.client, [15_000, 15_001, 15_006, 15_020, 15_021, 15_080], 'nothing'],
    ['outsider', IP.client, [15_008], 'nothing'],
  ] as const)('of %s to %s at %j gets %s (C083)', async ([from, ip, ports, expected]) => {
    const source = from === 'client' ? pod('client') : outsider;
    for (const port of ports)
      expect(await say(source, `${ip}:${port}`, GARBAGE)).toMatch(ANSWERS[expected]);
    expect(await say(pod('client'), `${IP.second}:8080`)).toBe('second hello');
  });
});

test('a pod that is taken from the proxy loses its connections, and gets no others (C257)', async () => {
  const held = `
    const s = require('node:net').connect(8080, '${IP.server}');
    s.on('data', () => console.log('up')).on('error', () => {}).on('close', () => process.exit(7));`;
  const child = pods.start(pod('client'), [process.execPath, '-e', held]);
  await once(child.stdout!, 'data');
  const ended = once(child, 'exit');
  expect(await agent.ask({ case: 'del', value: { uid: 'server' } })).toBe('');
  expect((await ended)[0]).toBe(7);
  expect(await say(pod('client'), `${IP.server}:8080`)).toMatch(/^(|ECONNRESET)$/);
});
