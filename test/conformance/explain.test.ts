import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubernetesApi } from '@aquifer/control-plane';
import { startApiServer } from '@aquifer/kube-api';
import type { Explanation } from '@aquifer/wire';
import { expect, onTestFinished, test } from 'vitest';
import { createContext } from '../../packages/cli/src/context.ts';
import { runCommandLine } from '../../packages/cli/src/program.ts';
import { startRecordedWaypoint } from '../fixtures/recorded-waypoint.ts';

/** `aquifer explain`, through a port-forward to the pod of a control plane. */
async function start() {
  const { plane } = await startRecordedWaypoint();
  const folder = mkdtempSync(join(tmpdir(), 'aquifer-explain-'));
  const refuse = (): Promise<never> => Promise.reject(new Error('not here'));
  const server = await startApiServer({
    dataDirectory: folder,
    listen: [{ host: '127.0.0.1', port: 0 }],
    onFault: (error) => {
      throw error;
    },
    podAccess: {
      logs: refuse,
      exec: refuse,
      attach: refuse,
      portForward: async () => connect(plane.app.ports.monitoring, '127.0.0.1'),
    },
  });
  onTestFinished(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });
  writeFileSync(join(folder, 'kubeconfig'), server.kubeconfig());
  const api = KubernetesApi.fromKubeconfig(server.kubeconfig());
  await api.create('/api/v1/namespaces', {
    ...{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'istio-system' } },
  });
  const pods = '/api/v1/namespaces/istio-system/pods';
  await api.create(pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'istiod-1', labels: { app: 'istiod' } },
    spec: { nodeName: 'n1', containers: [{ name: 'discovery', image: 'x' }] },
  });
  await api.mergePatch(`${pods}/istiod-1/status`, { status: { phase: 'Running' } });
  return async (commandLine: string) => {
    let out = '';
    let errors = '';
    const stdout = { write: (text: string) => (out += text) };
    const stderr = { write: (text: string) => (errors += text), isTTY: false };
    const env = { HOME: folder, KUBECONFIG: join(folder, 'kubeconfig') };
    const context = createContext(env, { stdout, stderr: stderr as never });
    const code = await runCommandLine(commandLine.split(' '), context, stderr.write);
    return { code, out, errors };
  };
}

test('a service is explained as a tree, with the fields behind each line', async () => {
  const run = await start();
  const { code, out } = await run('explain service cart -n shop');
  expect(code).toBe(0);
  expect(out).toMatch(
    /^Service shop\/cart\n├─ address shop\/cart\.shop\.svc\.cluster\.local {2}\(/,
  );
  expect(out).toContain('← Namespace shop: metadata.labels["istio.io/use-waypoint"]');
  expect(out).toMatch(/route shop\.r\.0 {2}\(.* → .*\)\n.*← HTTPRoute shop\/r: spec\.rules\[0\]\./);
});

test('a route is found whatever its kind, and is JSON for programs', async () => {
  const run = await start();
  const { out } = await run('explain route r -n shop -o json');
  const { object, lines } = JSON.parse(out) as Explanation;
  expect(object).toEqual({ kind: 'HTTPRoute', namespace: 'shop', name: 'r' });
  expect(lines[0]).toMatchObject({ what: 'waypoint', name: 'shop/waypoint' });
});

test('what is not there is said', async () => {
  const run = await start();
  const { code, errors } = await run('explain policy missing -n shop');
  expect({ code, errors }).toEqual({
    code: 1,
    errors: 'error: there is no policy shop/missing\n',
  });
  expect((await run('explain waypoint x')).code).toBe(64);
});
