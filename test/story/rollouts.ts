import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../fixtures/eventually.ts';
import type { Kubectl } from './kubectl.ts';
import { LoadRecord } from './load-record.ts';
import type { MeshSandbox } from './mesh-sandbox.ts';

const NAMESPACE = 'rollouts';
const NODES = ['node-1', 'node-2'] as const;
const WAYPOINT_LABEL = 'gateway.networking.k8s.io/gateway-name=waypoint';
/** What a program of the load does a second; there is one on each node. */
interface Load {
  readonly HTTP1_NEW: number;
  readonly HTTP1_KEPT: number;
  readonly GRPC_UNARY: number;
  readonly GRPC_STREAMS: number;
  readonly WEBSOCKETS: number;
  /** On each stream and WebSocket. */
  readonly MESSAGES: number;
}
/** 560 requests and messages a second from both nodes, which fill two processors. */
export const HEAVY: Load = {
  HTTP1_NEW: 40,
  HTTP1_KEPT: 80,
  GRPC_UNARY: 80,
  GRPC_STREAMS: 4,
  WEBSOCKETS: 4,
  MESSAGES: 10,
};
/** 190 a second, beside which something else may run. */
export const LIGHT: Load = {
  HTTP1_NEW: 15,
  HTTP1_KEPT: 25,
  GRPC_UNARY: 25,
  GRPC_STREAMS: 3,
  WEBSOCKETS: 3,
  MESSAGES: 5,
};
/** Everything is warm after so long. */
const WARM_UP_MS = 5_000;
/** Requests that were sent before the end are answered, or given up, by then. */
const LAST_ANSWERS_MS = 16_000;

/** What is restarted, by its name in tables. */
export const ROLLOUTS = {
  waypoint: { namespace: NAMESPACE, workload: 'deploy/waypoint', label: WAYPOINT_LABEL, pods: 2 },
  ztunnel: {
    namespace: 'istio-system',
    workload: 'daemonset/ztunnel',
    label: 'app=ztunnel',
    pods: NODES.length,
  },
  'control plane': {
    namespace: 'istio-system',
    workload: 'deploy/istiod',
    label: 'app=istiod',
    pods: 1,
  },
  application: { namespace: NAMESPACE, workload: 'deploy/server', label: 'app=server', pods: 2 },
} as const;
export type RolloutName = keyof typeof ROLLOUTS;

/** Two servers that end as servers should, and a client on each node. */
function workloads(load: Load): string {
  const environment = Object.entries(load)
    .map(([name, value]) => `{name: ${name}, value: "${value}"}`)
    .join(', ');
  const client = (node: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: client-${node}, namespace: ${NAMESPACE}}
spec:
  selector: {matchLabels: {app: client-${node}}}
  template:
    metadata: {labels: {app: client-${node}}}
    spec:
      nodeSelector: {kubernetes.io/hostname: ${node}}
      terminationGracePeriodSeconds: 1
      containers:
        - name: load
          image: aquifer/open-loop-load:dev
          env: [{name: TARGET_HOST, value: server}, {name: GRPC_PORT, value: "81"}, ${environment}]
---`;
  return `
apiVersion: apps/v1
kind: Deployment
metadata: {name: server, namespace: ${NAMESPACE}}
spec:
  replicas: 2
  selector: {matchLabels: {app: server}}
  template:
    metadata: {labels: {app: server}}
    spec:
      terminationGracePeriodSeconds: 15
      containers:
        - name: echo
          image: aquifer/echo:dev
          ports: [{containerPort: 8080}]
          readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
          env: [{name: DRAIN_AFTER_SECONDS, value: "3"}, {name: DRAIN_SECONDS, value: "8"}]
---
apiVersion: v1
kind: Service
metadata: {name: server, namespace: ${NAMESPACE}}
spec:
  selector: {app: server}
  ports:
    - {name: http, port: 80, targetPort: 8080}
    - {name: grpc, port: 81, targetPort: 8080}
---${NODES.map(client).join('')}`;
}

/** A namespace with a waypoint of two replicas, and a load that goes on while parts of the mesh are replaced. */
export class RolloutLoad {
  readonly #sandbox: MeshSandbox;
  readonly #kubectl: Kubectl;

  private constructor(sandbox: MeshSandbox) {
    this.#sandbox = sandbox;
    this.#kubectl = sandbox.kubectl;
  }

  /** Resolves when the load runs and everything is warm. */
  static async begin(sandbox: MeshSandbox, what: Load): Promise<RolloutLoad> {
    const load = new RolloutLoad(sandbox);
    await load.#deployMesh();
    await load.#kubectl.apply(workloads(what));
    for (const name of ['server', ...NODES.map((node) => `client-${node}`)]) {
      await load.#rolledOut(NAMESPACE, `deploy/${name}`);
    }
    await delay(WARM_UP_MS);
    return load;
  }

  async #deployMesh(): Promise<void> {
    await this.#kubectl.apply(`
apiVersion: v1
kind: Namespace
metadata: {name: ${NAMESPACE}, labels: {istio.io/dataplane-mode: ambient}}`);
    const args = ['waypoint', 'apply', '-n', NAMESPACE, '--enroll-namespace', '--wait'];
    const applied = await this.#sandbox.aquifer(args);
    if (applied.code !== 0) throw new Error(applied.stderr);
    await this.#kubectl.run('scale', '-n', NAMESPACE, 'deploy/waypoint', '--replicas=2');
    await this.#rolledOut(NAMESPACE, 'deploy/waypoint');
  }

  /** Replaces all pods of a part; resolves when the new ones are ready. */
  async restart(name: RolloutName): Promise<void> {
    const { namespace, workload } = ROLLOUTS[name];
    await this.#kubectl.run('rollout', 'restart', '-n', namespace, workload);
    await this.#rolledOut(namespace, workload);
  }

  /** Waits until the old ones are gone. */
  async untilReplaced(name: RolloutName): Promise<void> {
    const { namespace, label, pods } = ROLLOUTS[name];
    const left = ['get', 'pods', '-n', namespace, '-l', label, '-o', 'name'];
    await eventually(
      async () => (await this.#kubectl.run(...left)).trim().split('\n').length === pods,
      { timeoutMs: 90_000, intervalMs: 250, what: `the end of the old pods of ${name}` },
    );
  }

  /** Waits for the last answers. */
  async record(): Promise<LoadRecord> {
    await delay(LAST_ANSWERS_MS);
    const logs = NODES.map((node) =>
      this.#kubectl.run('logs', '-n', NAMESPACE, `deploy/client-${node}`),
    );
    return new LoadRecord(await Promise.all(logs));
  }

  async #rolledOut(namespace: string, workload: string): Promise<void> {
    await this.#kubectl.run('rollout', 'status', '-n', namespace, workload, '--timeout=120s');
  }
}
