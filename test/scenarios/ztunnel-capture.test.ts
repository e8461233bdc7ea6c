import { once } from 'node:events';
import type { CaptureReport } from '@aquifer/control-plane-client';
import { parseIpAddress } from '@aquifer/model';
import { createLogger } from '@aquifer/runtime';
import { EnrolledPodSchema } from '@aquifer/wire/gen/aquifer/node_pb';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { DataPlane } from '../../packages/ztunnel/src/data-plane/data-plane.ts';
import { CaptureLoop } from '../../packages/ztunnel/src/node/capture-loop.ts';
import type { EnrolledPod } from '../../packages/ztunnel/src/node/enrolled-pod.ts';
import { NodeAgent } from '../../packages/ztunnel/src/node/node-agent.ts';
import { TestAuthority } from '../fixtures/certificates.ts';
import { eventually } from '../fixtures/eventually.ts';
import { aWorkload } from '../fixtures/mesh-objects.ts';
import { NodeProcesses } from '../fixtures/node-processes.ts';
import { type PodNamespace, PodNamespaces } from '../fixtures/pod-namespaces.ts';
import { ReplacedProgram } from '../fixtures/replaced-program.ts';
import {
  addressResources,
  startDataPlane,
  UNREACHABLE_ENDPOINT,
} from '../fixtures/test-data-plane.ts';

/** A node of namespaces: its own, which is the gateway, two pods on it, and what the node's proxy does with them. */
const NODE = '10.79.0.1';
const NODE_V6 = 'fd79::1';
const CLIENT = '10.79.0.2';
const SERVER = '10.79.0.3';
const SERVER_V6 = 'fd79::3';

/** Says who calls; `/slow` is never answered. */
const APPLICATION = `
require('node:http').createServer((req, res) => {
  if (req.url !== '/slow') res.end(req.socket.remoteAddress.replace('::ffff:', ''));
}).listen(8080, '::', () => console.log('up'));
`;

let pods: PodNamespaces;
let node: PodNamespace;
let client: PodNamespace;
let server: PodNamespace;
let processes: NodeProcesses;
let authority: TestAuthority;
let serverPid: number;
const proxies: NodeProxy[] = [];
const LOG = createLogger('test', { format: 'plain', levels: 'off' });

class NodeProxy implements AsyncDisposable {
  /** Each time that nothing of other pods was left. */
  readonly inventories: (readonly string[])[] = [];
  readonly dataPlane: DataPlane;
  readonly loop: CaptureLoop;
  readonly reports: CaptureReport[] = [];
  #isGone = false;

  constructor(drainDeadlineMs = 200) {
    this.dataPlane = startDataPlane({ threads: 1, authority });
    const workloads = [
      aWorkload({ name: 'client', addresses: [CLIENT] }),
      aWorkload({ name: 'server', addresses: [SERVER] }),
    ];
    void this.dataPlane.applyAddresses({ resources: addressResources(workloads, []), removed: [] });
    this.loop = new CaptureLoop({
      dataPlane: this.dataPlane,
      node: 'node-1',
      procPath: processes.path,
      drainDeadlineMs,
      log: LOG,
      reportInventory: (uids) => this.inventories.push(uids),
      report: (report) => this.reports.push(report),
      lookEveryMs: 100,
    });
    proxies.push(this);
  }

  want(...wanted: EnrolledPod[]): void {
    this.loop.want(new Map(wanted.map((pod) => [pod.uid, pod])));
  }

  /** Waits until this is the last word on the pod. */
  async until(state: CaptureReport['state'], name: string): Promise<CaptureReport> {
    return eventually(() => {
      const last = this.reports.findLast((report) => report.name === name);
      return last?.state === state ? last : null;
    });
  }

  /** As a crash: connections and listeners end, rules stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isGone) return;
    this.#isGone = true;
    this.loop.stop();
    await this.dataPlane.stop();
  }
}

function enrolled(name: 'client' | 'server', change: Partial<EnrolledPod> = {}): EnrolledPod {
  const uid = `0a0a-${name}`;
  return {
    uid,
    namespace: 'shop',
    name,
    serviceAccount: name,
    addresses: name === 'client' ? [CLIENT] : [SERVER, SERVER_V6],
    bypassInbound: false,
    captureDns: false,
    cgroupIds: [uid],
    ...change,
  };
}

/** What a call gets: the body, or the number of curl's error. */
function call(from: PodNamespace, path = '/', to = SERVER): string {
  const url = `http://${to}:8080${path}`;
  return pods.run(from, [
    'sh',
    '-c',
    `curl -s --noproxy '*' --max-time 5 ${url} || echo failed: $?`,
  ]);
}

function isCaptured(pod: PodNamespace): boolean {
  return pods.run(pod, ['nft', 'list', 'ruleset']).includes('redirect to :15006');
}

function isUntouched(pod: PodNamespace): boolean {
  return (
    pods.run(pod, ['nft', 'list', 'ruleset']) === '' &&
    !pods.run(pod, ['ip', 'rule']).includes('fwmark') &&
    !pods.run(pod, ['ss', '-ltnH']).includes(':15001')
  );
}

function sleepIn(pod: PodNamespace): number {
  return pods.start(pod, ['sleep', 'infinity']).pid!;
}

beforeAll(() => {
  authority = new TestAuthority();
  pods = new PodNamespaces('aqc');
  node = pods.add('node', NODE);
  client = pods.add('client', CLIENT);
  server = pods.add('server', SERVER);
  for (const pod of [client, server]) {
    pods.run(pod, ['ip', 'route', 'add', 'default', 'via', NODE]);
  }
  for (const [pod, address] of [
    [node, NODE_V6],
    [server, SERVER_V6],
  ] as const) {
    pods.run(pod, ['ip', 'addr', 'add', `${address}/64`, 'dev', 'eth0', 'nodad']);
  }
  pods.run(server, ['ip', 'route', 'add', 'default', 'via', NODE_V6]);
});
afterAll(async () => {
  await pods[Symbol.asyncDispose]();
  authority[Symbol.dispose]();
});
beforeEach(async () => {
  processes = new NodeProcesses();
  const application = pods.start(server, [process.execPath, '-e', APPLICATION]);
  await once(application.stdout!, 'data');
  serverPid = application.pid!;
  processes.addFirst(sleepIn(node));
  processes.add(sleepIn(client), '/kubepods/besteffort/pod0a0a-client/c1');
  processes.add(serverPid, '/kubepods.slice/kubepods-burstable-pod0a0a_server.slice/cri-c1.scope');
});
afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy[Symbol.asyncDispose]();
  {
    await using last = new NodeProxy();
    last.want();
    await eventually(() => isUntouched(client) && isUntouched(server));
  }
  processes[Symbol.dispose]();
  await pods.endProcesses();
});

test('a pod that left the mesh while no proxy was there is released by the next', async () => {
  {
    await using crashing = new NodeProxy();
    crashing.want(enrolled('client'), enrolled('server'));
    await crashing.until('captured', 'client');
    await crashing.until('captured', 'server');
    expect(call(client)).toBe(CLIENT);
  }
  expect(call(client)).toContain('failed');
  // As if the one before had other rules: the next writes its own.
  pods.run(server, ['nft', 'flush', 'chain', 'inet', 'istio-ambient-nat', 'istio-prerouting']);
  const next = new NodeProxy();
  next.want(enrolled('server'));
  await next.until('captured', 'server');
  await eventually(() => isUntouched(client));
  expect(call(client)).toBe(CLIENT);
  expect(isCaptured(server)).toBe(true);
  await eventually(() => next.inventories.length > 0);
  expect(next.inventories).toEqual([[enrolled('server').uid]]);
});

test('a proxy that is being replaced leaves the pods to the next, also those that were leaving', async () => {
  const old = new NodeProxy(60_000);
  old.want(enrolled('client'), enrolled('server'));
  await old.until('captured', 'client');
  await old.until('captured', 'server');
  old.want(enrolled('server'));
  await old.until('released', 'client');
  const next = new NodeProxy();
  next.want(enrolled('server'));
  await next.until('captured', 'server');
  old.loop.stop();
  await old.dataPlane.drain();
  await eventually(() => isUntouched(client));
  pods.run(server, ['nft', 'flush', 'ruleset']);
  await eventually(() => isCaptured(server));
  expect(call(client)).toBe(CLIENT);
});

test('rules of somebody else in tables of the same names are left alone', async () => {
  const rules = 'table inet istio-ambient-nat {\n\tchain istio-prerouting {\n\t}\n}\n';
  pods.run(client, ['nft', rules]);
  const proxy = new NodeProxy();
  proxy.want(enrolled('server'));
  await proxy.until('captured', 'server');
  expect(pods.run(client, ['nft', 'list', 'ruleset'])).toBe(rules);
  pods.run(client, ['nft', 'flush', 'ruleset']);
});

test('rules that somebody flushed in a pod come back', async () => {
  const proxy = new NodeProxy();
  proxy.want(enrolled('server'));
  await proxy.until('captured', 'server');
  pods.run(server, ['nft', 'flush', 'ruleset']);
  expect(isCaptured(server)).toBe(false);
  await eventually(() => isCaptured(server));
});

test('a wish to leave plaintext alone reaches a pod that is captured already, and so does its end', async () => {
  const proxy = new NodeProxy();
  proxy.want(enrolled('server'));
  await proxy.until('captured', 'server');
  expect(isCaptured(server)).toBe(true);
  proxy.want(enrolled('server', { bypassInbound: true }));
  await eventually(() => !isCaptured(server));
  proxy.want(enrolled('server'));
  await eventually(() => isCaptured(server));
});

test('a pod that was made anew under its old uid is captured in its new namespace', async () => {
  const anew = pods.add('anew', '10.79.0.9');
  const proxy = new NodeProxy();
  proxy.want(enrolled('server'));
  await proxy.until('captured', 'server');
  processes.remove(serverPid);
  processes.add(sleepIn(anew), '/kubepods/pod0a0a-server/c2');
  proxy.want(enrolled('server', { addresses: [anew.ip] }));
  await eventually(() => isCaptured(anew));
  expect(isCaptured(anew)).toBe(true);
  await eventually(() => !pods.run(server, ['ss', '-ltnH']).includes(':15001'));
  proxy.want();
  await eventually(() => isUntouched(anew));
  processes.add(serverPid, '/elsewhere');
});

test('a pod whose port is taken, and one without a process, are reported and hold up nobody (P149)', async () => {
  const application = pods.start(client, [
    process.execPath,
    '-e',
    "require('node:net').createServer().listen(15006, () => console.log('up'))",
  ]);
  await once(application.stdout!, 'data');
  const proxy = new NodeProxy();
  const ghost = enrolled('server', { uid: 'ghost', name: 'ghost', cgroupIds: ['ghost'] });
  proxy.want(enrolled('client'), ghost, enrolled('server'));
  expect((await proxy.until('pending', 'client')).reason).toContain('a program of the pod listens');
  expect((await proxy.until('pending', 'ghost')).reason).toContain('no process of the pod');
  await proxy.until('captured', 'server');
  application.kill();
  await proxy.until('captured', 'client');
});

test('a proxy is ready when each pod of the first list was tried, also if one cannot be captured', async () => {
  const { dataPlane } = new NodeProxy();
  const tried = Promise.withResolvers<void>();
  const agent = new NodeAgent({
    dataPlane,
    node: 'node-1',
    procPath: processes.path,
    drainDeadlineMs: 200,
    log: LOG,
    captureDns: false,
    startGate: null,
    // Nobody is there to take reports.
    endpoint: UNREACHABLE_ENDPOINT,
    onFirstSnapshotTried: tried.resolve,
  });
  const resources = [enrolled('server'), enrolled('client', { uid: 'ghost' })].map((pod) => ({
    name: pod.uid,
    body: toBinary(
      EnrolledPodSchema,
      create(EnrolledPodSchema, {
        ...pod,
        addresses: pod.addresses.map((ip) => parseIpAddress(ip)!),
      }),
    ),
  }));
  expect(agent.subscriptions[0]!.apply({ resources, removed: [] })).toEqual([]);
  agent.start();
  await tried.promise;
  const states = [...agent.pods()].map(([uid, { isServed }]) => [uid, isServed]);
  expect(Object.fromEntries(states)).toEqual({ '0a0a-server': true, ghost: false });
  agent.stop();
});

test('a static pod is found by the hash that its cgroup is named after', async () => {
  processes.remove(serverPid);
  processes.add(serverPid, '/kubepods/burstable/pod5f0e2d1c/c1');
  const proxy = new NodeProxy();
  proxy.want(enrolled('server', { cgroupIds: ['0a0a-server', '5f0e2d1c'] }));
  await proxy.until('captured', 'server');
  expect(isCaptured(server)).toBe(true);
});

test('a request in flight ends when its pod leaves the mesh, instead of waiting for ever', async () => {
  const proxy = new NodeProxy();
  proxy.want(enrolled('client'), enrolled('server'));
  await proxy.until('captured', 'client');
  await proxy.until('captured', 'server');
  const patience = ['--max-time', '10'];
  const slow = pods.start(client, ['curl', '-s', ...patience, `http://${SERVER}:8080/slow`]);
  await eventually(async () => {
    const connections = await proxy.dataPlane.connections();
    return (connections[enrolled('server').uid]?.inbound.length ?? 0) > 0;
  });
  proxy.want();
  const [code] = (await once(slow, 'exit')) as [number];
  expect([52, 56]).toContain(code);
  await eventually(() => isUntouched(client) && isUntouched(server));
});

test('a pod that is wanted back while it leaves is captured again at once', async () => {
  const proxy = new NodeProxy(60_000);
  proxy.want(enrolled('server'));
  await proxy.until('captured', 'server');
  proxy.want();
  await proxy.until('released', 'server');
  expect(isCaptured(server)).toBe(false);
  proxy.want(enrolled('server'));
  await proxy.until('captured', 'server');
  expect(isCaptured(server)).toBe(true);
});

test('a release that fails is tried again, and meanwhile the pod is served (P151)', async () => {
  const proxy = new NodeProxy();
  proxy.want(enrolled('client'), enrolled('server'));
  await proxy.until('captured', 'client');
  await proxy.until('captured', 'server');
  using broken = new ReplacedProgram('nsenter', 'exit 1');
  proxy.want(enrolled('server'));
  await eventually(() => broken.runs() >= 2);
  broken[Symbol.dispose]();
  expect(call(client)).toBe(CLIENT);
  await eventually(() => isUntouched(client));
  expect(call(client)).toBe(CLIENT);
});

test('only what the kubelet itself sends to a pod of the mesh comes from the address of probes', async () => {
  const proxy = new NodeProxy();
  expect(call(node)).toBe(NODE);
  proxy.want(enrolled('server'));
  await proxy.until('captured', 'server');
  await eventually(() => call(node) === '169.254.7.127');
  // Another account on the node, and what the node forwards, are nobody's probes.
  const asNobody = ['setpriv', '--reuid=65534', '--clear-groups'];
  expect(pods.run(node, [...asNobody, 'curl', '-s', `http://${SERVER}:8080/`])).toBe(NODE);
  pods.run(client, ['ip', 'addr', 'add', '169.254.7.127/32', 'dev', 'lo']);
  pods.run(client, ['ip', 'route', 'replace', SERVER, 'via', NODE, 'src', '169.254.7.127']);
  pods.run(node, ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
  pods.run(node, ['ip', 'route', 'add', '169.254.7.127', 'via', CLIENT]);
  expect(call(client)).toContain('failed');
  pods.run(node, ['ip', 'route', 'del', '169.254.7.127']);
  pods.run(client, ['ip', 'route', 'del', SERVER]);
  pods.run(client, ['ip', 'addr', 'del', '169.254.7.127/32', 'dev', 'lo']);
  proxy.want();
  await eventually(() => pods.run(node, ['nft', 'list', 'ruleset']) === '');
  await eventually(() => call(node) === NODE);
});

test('probes over either protocol pass the rules of a pod, even if no proxy is there', async () => {
  expect(call(node, '/', `[${SERVER_V6}]`)).toBe(NODE_V6);
  {
    await using crashing = new NodeProxy();
    crashing.want(enrolled('server'));
    await crashing.until('captured', 'server');
  }
  expect(call(node)).toBe('169.254.7.127');
  expect(call(node, '/', `[${SERVER_V6}]`)).toBe('fd16:9254:7127:1337:ffff:ffff:ffff:ffff');
  expect(call(client)).toContain('failed');
});
