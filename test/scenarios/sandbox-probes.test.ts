import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import { sandboxObstacle } from '../fixtures/sandbox.ts';
import { STRICT } from '../story/manifests.ts';
import { MeshSandbox } from '../story/mesh-sandbox.ts';

const NODE_PORT = 30_080;

function pod(name: string, probes: string): string {
  return `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: shop, labels: {app: ${name}}}
spec:
  nodeSelector: {kubernetes.io/hostname: node-1}
  terminationGracePeriodSeconds: 1
  containers:
    - name: echo
      image: aquifer/echo:dev
      ports: [{containerPort: 8080}]
${probes}
---`;
}

/** Its first probe comes when it has been captured for a while. */
const HTTP_PROBES = `
      readinessProbe: {httpGet: {path: /, port: 8080}, initialDelaySeconds: 6, periodSeconds: 1}
      livenessProbe: {tcpSocket: {port: 8080}, initialDelaySeconds: 6, periodSeconds: 1, failureThreshold: 1}`;
const CLOSED_PORT_PROBE = `
      readinessProbe: {tcpSocket: {port: 7777}, initialDelaySeconds: 6, periodSeconds: 1}`;

const MANIFESTS = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}
---
${STRICT}
---${pod('probed', HTTP_PROBES)}${pod('closed', CLOSED_PORT_PROBE)}
apiVersion: v1
kind: Service
metadata: {name: probed, namespace: shop}
spec:
  type: NodePort
  selector: {app: probed}
  ports: [{name: http, port: 80, targetPort: 8080, nodePort: ${NODE_PORT}}]
`;

interface PodObject {
  readonly metadata: { readonly annotations?: Record<string, string> };
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly { readonly restartCount: number }[];
  };
}

const obstacle = sandboxObstacle();

describe.skipIf(obstacle !== null)(`under STRICT${obstacle ? `: ${obstacle}` : ''}`, () => {
  let sandbox: MeshSandbox;

  beforeAll(async () => {
    sandbox = await MeshSandbox.up(process.env);
    await sandbox.kubectl.apply(MANIFESTS);
    for (const name of ['probed', 'closed']) {
      await eventually(
        async () =>
          (await getPod(name)).metadata.annotations?.['ambient.istio.io/redirection'] === 'enabled',
        { timeoutMs: 60_000 },
      );
    }
  });

  afterAll(async () => {
    await sandbox?.down();
  });

  function getPod(name: string): Promise<PodObject> {
    return sandbox.kubectl.json<PodObject>('get', 'pod', '-n', 'shop', name);
  }

  function isReady({ status }: PodObject): boolean {
    return (
      status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true
    );
  }

  async function eventsOf(name: string): Promise<string> {
    return sandbox.kubectl.run('events', '-n', 'shop', '--for', `pod/${name}`);
  }

  test('probes of the kubelet reach the application', async () => {
    await eventually(async () => isReady(await getPod('probed')), { timeoutMs: 60_000 });
    const { status } = await getPod('probed');
    expect(status.containerStatuses?.map(({ restartCount }) => restartCount)).toEqual([0]);
  });

  test('a probe of a port where nobody listens fails', async () => {
    await eventually(async () => (await eventsOf('closed')).includes('Readiness probe failed'), {
      timeoutMs: 60_000,
    });
    expect(isReady(await getPod('closed'))).toBe(false);
  });

  test.for(['10.245.0.1', '10.245.0.2'])('a node port on %s lets no plaintext in', async (node) => {
    await eventually(async () => isReady(await getPod('probed')), { timeoutMs: 60_000 });
    const url = `http://${node}:${NODE_PORT}/`;
    const status = execFileSync(
      'sh',
      ['-c', `curl -s -o /dev/null -w '%{http_code} %{exitcode}' --max-time 5 ${url} || true`],
      { encoding: 'utf8' },
    );
    // Answered by a reset, not by silence.
    expect(status).toMatch(/^000 (52|56)$/);
  });
});
