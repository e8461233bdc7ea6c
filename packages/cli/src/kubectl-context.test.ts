import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { leaveSandbox, switchToSandbox } from './kubectl-context.ts';

const configOf = (name: string, server: string): string =>
  stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server } }],
    users: [{ name, user: { token: name } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  });

function machine() {
  const home = mkdtempSync(join(tmpdir(), 'kubectl-context-'));
  onTestFinished(() => rmSync(home, { recursive: true }));
  const inHome = (file: string): string => join(home, file);
  writeFileSync(inHome('own'), configOf('aquifer', 'https://127.0.0.1:6443'));
  const paths = { dataDirectory: home, kubeconfig: inHome('own'), state: '', log: '' };
  return { env: { HOME: home }, paths, inHome };
}

test('the sandbox becomes the current context beside the others, and leaves no current one behind', () => {
  const { env, paths, inHome } = machine();
  const file = inHome('mine');
  writeFileSync(file, configOf('production', 'https://production'), { mode: 0o600 });
  const before = parse(readFileSync(file, 'utf8'));
  expect(switchToSandbox(paths, { ...env, KUBECONFIG: `${file}:/other` }, undefined)).toBe(file);
  const config = parse(readFileSync(file, 'utf8'));
  expect(config['current-context']).toBe('aquifer-sandbox');
  expect(config.clusters).toEqual([
    ...before.clusters,
    { name: 'aquifer-sandbox', cluster: { server: 'https://127.0.0.1:6443' } },
  ]);
  expect(config.contexts[1].context).toMatchObject({
    cluster: 'aquifer-sandbox',
    user: 'aquifer-sandbox',
  });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  leaveSandbox(paths);
  expect(parse(readFileSync(file, 'utf8'))).toEqual({ ...before, 'current-context': '' });
});

test('without any kubeconfig one is made in the home directory, and goes again', () => {
  const { env, paths, inHome } = machine();
  expect(switchToSandbox(paths, env, undefined)).toBe(inHome('.kube/config'));
  switchToSandbox(paths, env, undefined);
  expect(parse(readFileSync(inHome('.kube/config'), 'utf8')).contexts).toHaveLength(1);
  leaveSandbox(paths);
  expect(existsSync(inHome('.kube/config'))).toBe(false);
});

test('the own kubeconfig of the sandbox stays as it is', () => {
  const { env, paths } = machine();
  const before = readFileSync(paths.kubeconfig, 'utf8');
  expect(switchToSandbox(paths, { ...env, KUBECONFIG: paths.kubeconfig }, undefined)).toBeNull();
  leaveSandbox(paths);
  expect(readFileSync(paths.kubeconfig, 'utf8')).toBe(before);
});
