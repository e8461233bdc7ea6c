import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../fixtures/eventually.ts';
import type { Kubectl } from '../story/kubectl.ts';
import { MeshSandbox } from '../story/mesh-sandbox.ts';
import { Samples } from './samples.ts';

const PODS = 50;
const SERVICES = 10;
/** Until what a start leaves behind has been given back. */
const SETTLE_MS = 30_000;
const AFTER_LOAD_MS = 30_000;
const WORKLOADS_TIMEOUT_MS = 120_000;

/** All pods are on one node, so that one node proxy has them all; each request passes both of its sides. */
function workloads(): string {
  const deployment = (name: string, replicas: number, container: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: bench}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      nodeSelector: {kubernetes.io/hostname: node-1}
      terminationGracePeriodSeconds: 0
      containers: [${container}]
---`;
  const service = (name: string): string => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: bench}
spec: {selector: {app: server}, ports: [{name: http, port: 80, targetPort: 8080}]}
---`;
  return [
    'apiVersion: v1\nkind: Namespace\nmetadata: {name: bench, labels: {istio.io/dataplane-mode: ambient}}\n---',
    deployment('idle', PODS - 3, '{name: idle, image: pause}'),
    deployment('client', 1, '{name: client, image: busybox, command: [sleep, infinity]}'),
    deployment('server', 2, '{name: server, image: "aquifer/echo:dev"}'),
    ...Array.from({ length: SERVICES }, (_, i) => service(`server-${i}`)),
  ].join('\n');
}

/** Private memory and share of all memory of our programs in a sandbox, in MB: idle, under a load, and after it. */
export async function benchMemory(
  signal: AbortSignal,
  onProgress: (text: string) => void,
): Promise<Samples> {
  const samples = new Samples();
  onProgress('a sandbox with the mesh');
  const sandbox = await MeshSandbox.up(process.env);
  try {
    const pause = (ms: number): Promise<void> => delay(ms, undefined, { signal });
    const { kubectl } = sandbox;
    await pause(SETTLE_MS);
    await sample(samples, kubectl, 'control-plane idle', 'istiod');
    onProgress(`${PODS} pods`);
    await kubectl.apply(workloads());
    await untilCaptured(kubectl, signal);
    await pause(SETTLE_MS);
    await sample(samples, kubectl, 'ztunnel idle', 'ztunnel');
    onProgress('load at L4');
    await load(kubectl, 'server-0', () => sample(samples, kubectl, 'ztunnel load', 'ztunnel'));
    await pause(AFTER_LOAD_MS);
    await sample(samples, kubectl, 'ztunnel after', 'ztunnel');
    await sample(samples, kubectl, 'control-plane pods', 'istiod');
    onProgress(`a waypoint with ${SERVICES} Services`);
    const applied = await sandbox.aquifer([
      'waypoint',
      'apply',
      '-n',
      'bench',
      '--enroll-namespace',
      '--wait',
    ]);
    if (applied.code !== 0) throw new Error(applied.stderr);
    await pause(SETTLE_MS);
    await sample(samples, kubectl, 'waypoint idle', 'waypoint');
    onProgress('load at L7');
    await load(kubectl, 'server-0', () => sample(samples, kubectl, 'waypoint load', 'waypoint'));
    await pause(AFTER_LOAD_MS);
    await sample(samples, kubectl, 'waypoint after', 'waypoint');
    return samples;
  } finally {
    await sandbox.down();
  }
}

async function untilCaptured(kubectl: Kubectl, signal: AbortSignal): Promise<void> {
  await eventually(
    async () => {
      signal.throwIfAborted();
      const pods = await podsOf(kubectl, 'bench');
      const captured = pods.filter(
        ({ metadata }) => metadata.annotations?.['ambient.istio.io/redirection'] === 'enabled',
      );
      return captured.length === PODS;
    },
    { timeoutMs: WORKLOADS_TIMEOUT_MS, what: `${PODS} captured pods` },
  );
}

/** Requests on kept connections, then one connection for each request; measures in the middle of each. */
async function load(
  kubectl: Kubectl,
  service: string,
  measure: () => Promise<void>,
): Promise<void> {
  for (const header of ['Connection: keep-alive', 'Connection: close']) {
    const wrk = [
      'wrk',
      '-t',
      '2',
      '-c',
      '64',
      '-d',
      '10',
      '-H',
      header,
      `http://${service}.bench/`,
    ];
    const running = kubectl.exec('bench', 'deploy/client', wrk);
    await delay(7_000);
    await measure();
    const { code, stdout, stderr } = await running;
    if (code !== 0 || !/[1-9]\d* requests in/.test(stdout))
      throw new Error(`the load failed: ${stdout}${stderr}`);
  }
}

interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly nodeName?: string };
}

async function podsOf(kubectl: Kubectl, namespace: string): Promise<readonly Pod[]> {
  return (await kubectl.json<{ items: readonly Pod[] }>('get', 'pods', '-n', namespace)).items;
}

/** Of the program's pod: a node proxy's is the one on the first node, which has the pods. */
async function sample(
  samples: Samples,
  kubectl: Kubectl,
  name: string,
  pod: string,
): Promise<void> {
  const pods = (
    await Promise.all(['istio-system', 'bench'].map((namespace) => podsOf(kubectl, namespace)))
  ).flat();
  const found = pods.find(
    ({ metadata, spec }) =>
      metadata.name.startsWith(`${pod}-`) && (pod !== 'ztunnel' || spec.nodeName === 'node-1'),
  );
  if (found === undefined) throw new Error(`there is no pod ${pod}`);
  const pid = processOf(found.metadata.uid);
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  samples.add(
    `${name} private`,
    megabytes(rollup, 'Private_Clean') + megabytes(rollup, 'Private_Dirty'),
  );
  samples.add(`${name} PSS`, megabytes(rollup, 'Pss'));
}

function megabytes(rollup: string, field: string): number {
  const [, kilobytes] = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup) ?? [];
  return Number(kilobytes) / 1024;
}

/** The program of a pod is the process of its cgroup that runs Node. */
function processOf(uid: string): number {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const pid = pids.find((candidate) => {
    try {
      return (
        readFileSync(`/proc/${candidate}/cgroup`, 'utf8').includes(uid) &&
        readFileSync(`/proc/${candidate}/cmdline`, 'utf8').includes('/node\0')
      );
    } catch {
      return false;
    }
  });
  if (pid === undefined) throw new Error(`pod ${uid} has no process`);
  return Number(pid);
}
