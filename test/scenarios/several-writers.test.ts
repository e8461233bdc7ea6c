import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Deployment, Gateway } from '@aquifer/model/resources';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundlePath } from '../fixtures/bundles.ts';
import {
  type DeployedCluster,
  LOOPBACK,
  startDeployedCluster,
} from '../fixtures/deployed-cluster.ts';
import { eventually } from '../fixtures/eventually.ts';
import {
  type AccessedWrite,
  type RecordedApiAccess,
  recordApiAccess,
} from '../fixtures/recorded-api-access.ts';

/**
 * Three control planes as processes, of which the one that writes is killed, paused or cut off at random moments. What
 * they write is seen on its way to the API.
 */
const LEASE_MS = 3000;
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/istio-system/leases';
const OF_REVISION = 'istiod-writer';
const OF_MESH = 'istiod-mesh-writer';
const GATEWAYS = '/apis/gateway.networking.k8s.io/v1/namespaces/shop/gateways';
const MAIN = bundlePath('control-plane');
const writes: AccessedWrite[] = [];
const replicas: Replica[] = [];
let cluster: DeployedCluster;

class Replica {
  readonly name: string;
  readonly #access: RecordedApiAccess;
  readonly #kubeconfig: string;
  #process: ChildProcess | null = null;

  constructor(name: string, access: RecordedApiAccess, kubeconfig: string) {
    this.name = name;
    this.#access = access;
    this.#kubeconfig = kubeconfig;
  }

  start(): void {
    const { PATH = '', HOME = '' } = process.env;
    const env = {
      ...{ PATH, HOME },
      ...LOOPBACK,
      KUBECONFIG: this.#kubeconfig,
      POD_NAME: this.name,
      LEASE_DURATION: `${LEASE_MS}ms`,
      LOG_LEVEL: 'error',
    };
    this.#process = spawn(process.execPath, [MAIN], { env, stdio: 'ignore' });
  }

  /** Ends it without a word; returns how to undo it. */
  kill(): () => void {
    this.#process?.kill('SIGKILL');
    return () => this.start();
  }

  pause(): () => void {
    const paused = this.#process;
    paused?.kill('SIGSTOP');
    return () => paused?.kill('SIGCONT');
  }

  cutOff(): () => void {
    this.#access.cut();
    return () => this.#access.mend();
  }

  async stop(): Promise<void> {
    const { exitCode, signalCode } = this.#process ?? {};
    if (this.#process !== null && exitCode === null && signalCode === null) {
      const ended = once(this.#process, 'exit');
      this.#process.kill('SIGKILL');
      await ended;
    }
    await this.#access.stop();
  }
}

beforeAll(async () => {
  cluster = await startDeployedCluster();
  await createNamespace('shop');
  for (const name of ['istiod-a', 'istiod-b', 'istiod-c']) {
    const access = await recordApiAccess(name, cluster.server, writes);
    const file = join(cluster.folder, `${name}.kubeconfig`);
    writeFileSync(file, await cluster.controlPlaneKubeconfig(access.url));
    const replica = new Replica(name, access, file);
    replicas.push(replica);
    replica.start();
  }
});

afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()));
  await cluster.stop();
});

/** Null if nobody holds it. */
async function holderOf(lease: string): Promise<string | null> {
  const found = await cluster.admin.get<{ spec?: { holderIdentity?: string } }>(
    `${LEASES}/${lease}`,
  );
  return found?.spec?.holderIdentity || null;
}

function createNamespace(name: string): Promise<unknown> {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
  return cluster.admin.create('/api/v1/namespaces', namespace);
}

const hasRoots = (namespace: string) =>
  cluster.admin.get(`/api/v1/namespaces/${namespace}/configmaps/istio-ca-root-cert`);

function createGateway(name: string): Promise<unknown> {
  return cluster.admin.create(GATEWAYS, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name, namespace: 'shop' },
    spec: {
      gatewayClassName: 'istio-waypoint',
      listeners: [{ name: 'mesh', port: 15_008, protocol: 'HBONE' }],
    },
  });
}

const setLabel = (name: string, round: string) =>
  cluster.admin.mergePatch(`${GATEWAYS}/${name}`, {
    spec: { infrastructure: { labels: { round } } },
  });

const deployment = (name: string) =>
  cluster.admin.get<Deployment>(`/apis/apps/v1/namespaces/shop/deployments/${name}`);

async function isDeployed(name: string, round: string): Promise<boolean> {
  const labels = (await deployment(name))?.spec?.template.metadata?.labels;
  const gateway = await cluster.admin.get<Gateway>(`${GATEWAYS}/${name}`);
  const accepted = gateway?.status?.conditions?.find(({ type }) => type === 'Accepted');
  return (
    labels?.round === round &&
    accepted?.status === 'True' &&
    accepted.observedGeneration === gateway?.metadata.generation
  );
}

/** Which lease a write needs; null for what every control plane may write: what it was asked, and its own keys. */
function leaseOf({ method, path }: AccessedWrite): string | null {
  if (method === 'POST' && /\/(tokenreviews|secrets|events)$/.test(path)) return null;
  if (path.startsWith(LEASES)) return null;
  const isOfGateway =
    /\/(gateways|deployments|services|serviceaccounts|horizontalpodautoscalers|poddisruptionbudgets)\/[^/]+$/;
  return isOfGateway.test(path) || /\/gateways\/[^/]+\/status$/.test(path) ? OF_REVISION : OF_MESH;
}

/** Successful claims of the lease before the moment, the last one last. */
function lastClaim(lease: string, beforeMs: number): AccessedWrite | undefined {
  return writes.findLast(
    ({ path, body, status, arrivedAtMs }) =>
      arrivedAtMs <= beforeMs &&
      status >= 200 &&
      status < 300 &&
      (path === `${LEASES}/${lease}` || (path === LEASES && body.includes(`"${lease}"`))),
  );
}

/** Whether nothing that it became is lost, and it was rolled out just so often. */
async function isWhole(name: string, generation: number): Promise<boolean> {
  const core = '/api/v1/namespaces/shop';
  const service = await cluster.admin.get(`${core}/services/${name}`);
  const account = await cluster.admin.get(`${core}/serviceaccounts/${name}`);
  const found = await deployment(name);
  return service !== null && account !== null && found?.metadata.generation === generation;
}

/** On a busy machine a write arrives later than it was sent: that harms nobody while nobody else has taken the lease. */
const ON_THE_WAY_MS = 1_000;

/** Writes of those whose lease had run out, or who never had it. */
function trespasses(): string[] {
  return writes.flatMap((write) => {
    const lease = leaseOf(write);
    if (lease === null) return [];
    const claim = lastClaim(lease, write.arrivedAtMs);
    const sinceMs = write.arrivedAtMs - (claim?.arrivedAtMs ?? Number.NEGATIVE_INFINITY);
    const isHeld = claim?.who === write.who && sinceMs <= LEASE_MS + ON_THE_WAY_MS;
    return isHeld ? [] : [`${write.who} ${write.method} ${write.path} without ${lease}`];
  });
}

test('whatever happens to the control plane that writes, another one does in seconds, nobody else writes, and nothing is rolled out twice', async () => {
  const disruptions = ['kill', 'pause', 'cutOff', 'pause', 'cutOff', 'kill'] as const;
  const handoversMs: number[] = [];
  for (const lease of [OF_REVISION, OF_MESH]) {
    await eventually(() => holderOf(lease), { timeoutMs: 30_000, what: lease });
  }
  const rolledOut = new Map<string, number>();
  for (const [round, disruption] of disruptions.entries()) {
    const name = `waypoint-${round}`;
    await createGateway(name);
    await setLabel(name, 'first');
    // While it is at it.
    await delay(Math.random() * 100);
    const lease = round % 3 === 2 ? OF_MESH : OF_REVISION;
    const holder = await eventually(() => holderOf(lease));
    const undo = replicas.find((each) => each.name === holder)![disruption]();
    const startedAtMs = performance.now();
    for (const earlier of rolledOut.keys()) await setLabel(earlier, `after-${round}`);
    await createNamespace(`later-${round}`);
    const limits = { timeoutMs: 20_000, what: `round ${round}: ${disruption}` };
    await eventually(() => isDeployed(name, 'first'), limits);
    for (const earlier of rolledOut.keys()) {
      await eventually(() => isDeployed(earlier, `after-${round}`), limits);
    }
    await eventually(() => hasRoots(`later-${round}`), limits);
    handoversMs.push(performance.now() - startedAtMs);
    for (const [earlier, generation] of rolledOut) rolledOut.set(earlier, generation + 1);
    const { generation = 0 } = (await deployment(name))?.metadata ?? {};
    // It was made, and given a label.
    expect(generation).toBeLessThanOrEqual(2);
    rolledOut.set(name, generation);
    undo();
    if (disruption !== 'kill') await delay(500);
  }
  await delay(2 * LEASE_MS);
  for (const [name, generation] of rolledOut) expect(await isWhole(name, generation)).toBe(true);
  expect(trespasses()).toEqual([]);
  // One lease time, a look at the lease, and what a busy machine takes.
  expect(Math.max(...handoversMs)).toBeLessThan(5 * LEASE_MS);
}, 180_000);
