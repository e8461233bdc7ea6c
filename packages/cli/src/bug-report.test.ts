import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import {
  type ApiObject,
  ScriptedKubernetesApi,
} from '../../../test/fixtures/scripted-kubernetes-api.ts';
import { createContext } from './context.ts';
import { runCommandLine } from './program.ts';

const namespace = 'istio-system';
const HIDDEN = 'not-for-others';
const env = [
  { name: 'PASSWORD', value: HIDDEN },
  { name: 'FROM', valueFrom: { secretKeyRef: { name: 'secret', key: 'password' } } },
];
const probe = { httpGet: { port: 80, httpHeaders: [{ name: 'authorization', value: HIDDEN }] } };
const podSpec = {
  containers: [{ name: 'main', env, livenessProbe: probe }],
  initContainers: [{ name: 'first', env }],
  ephemeralContainers: [{ name: 'debugger', env }],
};
const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': HIDDEN };

const OBJECTS: readonly ApiObject[] = [
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'shop', namespace: 'shop', annotations },
    spec: podSpec,
  },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'grafana', namespace, annotations },
    spec: { template: { spec: podSpec } },
  },
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'grafana', namespace },
    data: { 'grafana.ini': HIDDEN },
  },
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'istio', namespace },
    data: { mesh: '' },
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: '../../../outside', namespace, labels: { app: 'istiod' } },
    spec: podSpec,
    status: { phase: 'Running' },
  },
];

test('a report has no values of environments, no ConfigMaps of others, and no file outside of it', async () => {
  const api = new ScriptedKubernetesApi();
  const folder = mkdtempSync(join(tmpdir(), 'bug-report-test-'));
  onTestFinished(async () => {
    rmSync(folder, { recursive: true });
    await api.stop();
  });
  for (const object of OBJECTS) api.put(object);
  writeFileSync(join(folder, 'kubeconfig'), await api.start());
  const archive = join(folder, 'report.tar.gz');
  const stream = { write: () => true, isTTY: false };
  const environment = { HOME: folder, KUBECONFIG: join(folder, 'kubeconfig') };
  const context = createContext(environment, { stdout: stream, stderr: stream as never });
  expect(await runCommandLine(['bug-report', '--output', archive], context, stream.write)).toBe(0);
  const everything = execFileSync('tar', ['-xzOf', archive], { encoding: 'utf8' });
  expect(everything).toContain('name: PASSWORD');
  expect(everything).toContain('secretKeyRef');
  expect(everything).toContain('name: istio');
  expect(everything).not.toContain(HIDDEN);
  expect(everything).toContain('its name leads out of the archive');
  expect(existsSync(join(tmpdir(), 'outside'))).toBe(false);
  expect(execFileSync('tar', ['-tzf', archive], { encoding: 'utf8' })).not.toContain('outside');
});
