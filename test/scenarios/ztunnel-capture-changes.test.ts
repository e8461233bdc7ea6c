import type { CaptureReport } from '@aquifer/control-plane-client';
import { createLogger } from '@aquifer/runtime';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { DataPlane } from '../../packages/ztunnel/src/data-plane/data-plane.ts';
import { CaptureLoop } from '../../packages/ztunnel/src/node/capture-loop.ts';
import type { EnrolledPod } from '../../packages/ztunnel/src/node/enrolled-pod.ts';
import { TestAuthority } from '../fixtures/certificates.ts';
import { eventually } from '../fixtures/eventually.ts';
import { NodeProcesses } from '../fixtures/node-processes.ts';
import { type PodNamespace, PodNamespaces } from '../fixtures/pod-namespaces.ts';
import { startDataPlane } from '../fixtures/test-data-plane.ts';

/** A node with one pod, whose wish to be captured changes at bad moments. */
const SERVER = '10.79.1.3';
const SETTINGS = ['net.ipv4.tcp_migrate_req', 'net.netfilter.nf_conntrack_tcp_loose'];

let pods: PodNamespaces;
let node: PodNamespace;
let server: PodNamespace;
let processes: NodeProcesses;
let authority: TestAuthority;
const proxies: NodeProxy[] = [];

class NodeProxy implements AsyncDisposable {
  readonly loop: CaptureLoop;
  readonly #dataPlane: DataPlane;
  #lastState: CaptureReport['state'] | null = null;
  #isGone = false;

  constructor({ drainDeadlineMs = 200, lookEveryMs = 100 } = {}) {
    this.#dataPlane = startDataPlane({ threads: 1, authority });
    this.loop = new CaptureLoop({
      dataPlane: this.#dataPlane,
      node: 'node-1',
      procPath: processes.path,
      drainDeadlineMs,
      log: createLogger('test', { format: 'plain', levels: 'off' }),
      reportInventory: () => undefined,
      report: ({ name, state }) => {
        if (name === 'server') this.#lastState = state;
      },
      lookEveryMs,
    });
    proxies.push(this);
  }

  want(...wanted: EnrolledPod[]): void {
    this.loop.want(new Map(wanted.map((pod) => [pod.uid, pod])));
  }

  async until(state: CaptureReport['state']): Promise<void> {
    await eventually(() => this.#lastState === state);
  }

  /** As a crash: connections and listeners end, rules stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isGone) return;
    this.#isGone = true;
    this.loop.stop();
    await this.#dataPlane.stop();
  }
}

function enrolled(name: string, address: string): EnrolledPod {
  return {
    uid: `0b0b-${name}`,
    namespace: 'shop',
    name,
    serviceAccount: name,
    addresses: [address],
    bypassInbound: false,
    captureDns: false,
    cgroupIds: [`0b0b-${name}`],
  };
}

const SERVER_POD = enrolled('server', SERVER);

function rules(): string {
  return pods.run(server, ['nft', 'list', 'ruleset']);
}

function settings(): string {
  return pods.run(server, ['sysctl', '-n', ...SETTINGS]);
}

beforeAll(() => {
  authority = new TestAuthority();
  pods = new PodNamespaces('aqd');
  node = pods.add('node', '10.79.1.1');
  server = pods.add('server', SERVER);
});
afterAll(async () => {
  await pods[Symbol.asyncDispose]();
  authority[Symbol.dispose]();
});
beforeEach(() => {
  processes = new NodeProcesses();
  processes.addFirst(pods.start(node, ['sleep', 'infinity']).pid!);
  const { pid } = pods.start(server, ['sleep', 'infinity']);
  processes.add(pid!, '/kubepods/pod0b0b-server/c1');
});
afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy[Symbol.asyncDispose]();
  {
    await using last = new NodeProxy();
    last.want();
    await eventually(() => rules() === '');
  }
  processes[Symbol.dispose]();
  await pods.endProcesses();
});

test('a pod is captured although other pods come and go without a pause', async () => {
  const proxy = new NodeProxy();
  let change = 0;
  const churn = setInterval(() => {
    change += 1;
    const other = enrolled(`job-${change}`, `10.99.${change >> 8}.${change % 256}`);
    proxy.want(SERVER_POD, other);
  }, 2);
  try {
    await proxy.until('captured');
    expect(rules()).toContain('redirect to :15006');
    const leaving = setInterval(() => proxy.want(enrolled(`job-${++change}`, '10.99.0.1')), 2);
    clearInterval(churn);
    try {
      await proxy.until('released');
    } finally {
      clearInterval(leaving);
    }
  } finally {
    clearInterval(churn);
  }
});

test('a pod that comes back while what an earlier proxy left is being released is captured at once', async () => {
  {
    await using crashing = new NodeProxy();
    crashing.want(SERVER_POD);
    await crashing.until('captured');
  }
  const next = new NodeProxy({ drainDeadlineMs: 60_000 });
  next.want();
  await eventually(() => !rules().includes('redirect to'));
  next.want(SERVER_POD);
  await next.until('captured');
  expect(rules()).toContain('redirect to :15006');
});

test('a pod whose rules were flushed while it was captured has its own settings back when it leaves', async () => {
  const before = settings();
  const proxy = new NodeProxy();
  proxy.want(SERVER_POD);
  await proxy.until('captured');
  expect(settings()).not.toBe(before);
  pods.run(server, ['nft', 'flush', 'ruleset']);
  await eventually(() => rules().includes('redirect to :15006'));
  proxy.want();
  await eventually(() => rules() === '');
  expect(settings()).toBe(before);
});

test('a pod whose rules are flushed when it leaves has its own settings back too', async () => {
  const before = settings();
  const proxy = new NodeProxy({ lookEveryMs: 60_000 });
  proxy.want(SERVER_POD);
  await proxy.until('captured');
  pods.run(server, ['nft', 'flush', 'ruleset']);
  proxy.want();
  await proxy.until('released');
  await eventually(() => rules() === '' && !pods.run(server, ['ip', 'rule']).includes('fwmark'));
  expect(settings()).toBe(before);
});
