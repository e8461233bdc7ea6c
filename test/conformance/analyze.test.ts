import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createContext } from '../../packages/cli/src/context.ts';
import { runCommandLine } from '../../packages/cli/src/program.ts';
import { ensureBundles } from '../fixtures/bundles.ts';
import { type ClusterApi, startClusterApi } from '../fixtures/cluster-api.ts';

/** `aquifer analyze`, of files without a cluster, and of a cluster: the control plane's bundle judges. */
const ROUTE = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'route', namespace: 'shop' },
  spec: {
    parentRefs: [{ group: '', kind: 'Service', name: 'web', port: 80 }],
    rules: [{ backendRefs: [{ name: 'missing', port: 80 }] }],
  },
};
const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { ports: [{ name: 'http', port: 80 }] },
};
const SLICE = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'web-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['10.0.0.1'] }],
};
const FILTER = `
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata:
  name: patch
---
# Nothing.
---
apiVersion: v1
kind: List
items:
  - ${JSON.stringify(SERVICE)}
`;

let api: ClusterApi;
let folder: string;

beforeAll(async () => {
  ensureBundles();
  folder = mkdtempSync(join(tmpdir(), 'aquifer-analyze-'));
  api = await startClusterApi();
  writeFileSync(join(folder, 'kubeconfig'), api.server.kubeconfig());
  writeFileSync(join(folder, 'filter.yaml'), FILTER);
  writeFileSync(join(folder, 'route.json'), JSON.stringify(ROUTE));
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
  await api.send('POST', '/api/v1/namespaces', { body: namespace });
  await api.send('POST', '/api/v1/namespaces/shop/services', { body: SERVICE });
  const slices = '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices';
  await api.send('POST', slices, { body: SLICE });
}, 120_000);
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

async function run(commandLine: string, env: Record<string, string> = {}) {
  let out = '';
  let errors = '';
  const stdout = { write: (text: string) => (out += text) };
  const stderr = { write: (text: string) => (errors += text), isTTY: false };
  const context = createContext({ HOME: folder, ...env }, { stdout, stderr: stderr as never });
  const code = await runCommandLine(commandLine.split(' '), context, stderr.write);
  return { code, out, errors };
}

test('files are judged without a cluster, and an error is a failure', async () => {
  const { code, out, errors } = await run(`analyze -f ${folder}/filter.yaml ${folder}/route.json`);
  expect(code).toBe(1);
  expect(errors).toContain('the analysis found 2 errors');
  const [header, ...lines] = out.trimEnd().split('\n');
  expect(header).toMatch(/^LEVEL +CODE +OBJECT +MESSAGE$/);
  expect(lines).toEqual([
    expect.stringMatching(/^Error +AQF0102 +EnvoyFilter default\/patch +EnvoyFilter has no effect/),
    expect.stringMatching(/^Error +IST0101 +HTTPRoute shop\/route +backend\(missing\.shop\./),
    expect.stringMatching(
      /^Warning +AQF0104 +HTTPRoute shop\/route +istio\.io\/use-waypoint label/,
    ),
  ]);
});

test('for programs the same is JSON, with the file', async () => {
  const { out } = await run(`analyze ${folder}/filter.yaml -o json`);
  expect(JSON.parse(out)).toEqual([
    expect.objectContaining({
      code: 'AQF0102',
      name: 'UnsupportedResource',
      level: 'Error',
      origin: 'EnvoyFilter default/patch',
      reference: `${folder}/filter.yaml`,
    }),
  ]);
});

test('a cluster is judged, alone and together with files', async () => {
  const env = { KUBECONFIG: join(folder, 'kubeconfig') };
  expect(await run('analyze -n shop', env)).toMatchObject({
    code: 0,
    out: 'No validation issues found.\n',
  });
  const together = await run(`analyze -f ${folder}/route.json --use-kube -o json`, env);
  const said = JSON.parse(together.out) as { message: string }[];
  expect(said.map(({ message }) => message)).not.toContain('parent service: "web" not found');
  expect(said).toHaveLength(2);
});

test('a ConfigMap that a Gateway of the cluster refers to is looked up there', async () => {
  const env = { KUBECONFIG: join(folder, 'kubeconfig') };
  const parametersRef = { group: '', kind: 'ConfigMap', name: 'sizes' };
  await api.send('POST', '/apis/gateway.networking.k8s.io/v1/namespaces/shop/gateways', {
    body: {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name: 'waypoint', namespace: 'shop' },
      spec: {
        gatewayClassName: 'istio-waypoint',
        listeners: [{ name: 'mesh', port: 15_008, protocol: 'HBONE' }],
        infrastructure: { parametersRef },
      },
    },
  });
  const before = await run('analyze -n shop', env);
  expect(before.out).toContain('ConfigMap "shop/sizes" not found');
  const metadata = { name: 'sizes', namespace: 'shop' };
  await api.send('POST', '/api/v1/namespaces/shop/configmaps', {
    body: { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { deployment: 'spec: {}' } },
  });
  expect((await run('analyze -n shop', env)).out).not.toContain('InvalidParameters');
});

test('what is no object, or no file, is said', async () => {
  writeFileSync(join(folder, 'text.txt'), 'hello');
  expect((await run(`analyze ${folder}/text.txt`)).errors).toContain('is no Kubernetes object');
  expect((await run('analyze nowhere.yaml')).errors).toContain('nowhere.yaml: no such file');
});
