import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { type ClusterApi, startClusterApi } from '../../../test/fixtures/cluster-api.ts';
import { ScriptedKubernetesApi } from '../../../test/fixtures/scripted-kubernetes-api.ts';
import { createContext } from './context.ts';
import { runCommandLine } from './program.ts';

const GATEWAYS = '/apis/gateway.networking.k8s.io/v1';

let api: ClusterApi;
let kubeconfig: string;

beforeAll(async () => {
  api = await startClusterApi();
  kubeconfig = join(api.directory, 'cli.kubeconfig');
  writeFileSync(kubeconfig, api.server.kubeconfig());
});
afterAll(() => api[Symbol.asyncDispose]());

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

/** Runs a command line as `aquifer` does, with nothing but a kubeconfig around it. */
async function run(commandLine: string, env: Record<string, string> = {}): Promise<Outcome> {
  let out = '';
  let errors = '';
  const stdout = { write: (text: string) => (out += text) };
  const stderr = { write: (text: string) => (errors += text), isTTY: false };
  const around = { HOME: api.directory, KUBECONFIG: kubeconfig, ...env };
  const context = createContext(around, { stdout, stderr: stderr as never });
  const code = await runCommandLine(commandLine.split(' ').filter(Boolean), context, stderr.write);
  return { code, out, errors };
}

async function send(method: string, path: string, body?: object): Promise<number> {
  const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  const answer = await api.send(method, path, { contentType, ...(body && { body }) });
  return answer.status;
}

async function program(namespace: string, name: string, status: string): Promise<void> {
  const lastTransitionTime = '2026-01-01T00:00:00Z';
  const text = { reason: status === 'True' ? 'Programmed' : 'Pending', message: `is ${status}` };
  const condition = { type: 'Programmed', status, lastTransitionTime, ...text };
  const path = `${GATEWAYS}/namespaces/${namespace}/gateways/${name}/status`;
  expect(await send('PATCH', path, { status: { conditions: [condition] } })).toBe(200);
}

test.for([
  { line: 'waypoint apply --bogus', says: "unknown option '--bogus'" },
  { line: 'waypoint foo', says: "unknown command 'foo'" },
  { line: 'waypoint apply extra', says: 'too many arguments' },
  { line: 'waypoint apply --for nope', says: "--for <traffic>' argument 'nope' is invalid" },
  { line: 'waypoint apply --name none', says: "--name <name>' argument 'none' is invalid" },
  { line: 'waypoint apply --waypoint-timeout soon', says: 'Write it like 90s or 1m30s.' },
  { line: 'waypoint delete', says: 'name one, or use --all' },
  { line: 'waypoint delete --all waypoint', says: 'not both' },
  { line: 'waypoint list -n', says: 'argument missing' },
  { line: 'waypoint list -o xml', says: 'Allowed choices are short, json, yaml.' },
  { line: 'sandbox up --nodes x', says: "--nodes <count>' argument 'x' is invalid" },
  { line: 'sandbox up --port 70000', says: 'Give a number from 0 to 65535.' },
  { line: 'compare run --pods 2,1', says: 'Give a number from 2 to 100.' },
  { line: 'compare run --time-limit 0s', says: 'It must be 10s at least.' },
  {
    line: 'compare run --modes none,all',
    says: 'Modes are none, sidecar, own-sidecar, ambient, waypoint.',
  },
  { line: 'compare report', says: "missing required argument 'run'" },
])('aquifer $line is wrong usage: exit code 64', async ({ line, says }) => {
  const { code, out, errors } = await run(line);
  expect({ code, out }).toEqual({ code: 64, out: '' });
  expect(errors).toContain(says);
  expect(errors).toContain('--help');
});

test.for(['', 'waypoint', 'sandbox', 'compare', '--help', 'waypoint status --help'])(
  'aquifer %s shows its help on standard output',
  async (line) => {
    const { code, out, errors } = await run(line);
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    expect(out).toMatch(/^Usage: aquifer/);
  },
);

const LEAVES = [
  'waypoint generate',
  'waypoint apply',
  'waypoint list',
  'waypoint status',
  'waypoint delete',
  'sandbox up',
  'sandbox down',
  'sandbox status',
  'compare run',
  'compare report',
  'compare cluster',
  'check',
  'install',
  'upgrade',
  'uninstall',
  'proxy-status',
  'bug-report',
  'version',
  'completion',
];

test.for(LEAVES)('the help of aquifer %s has an example', async (line) => {
  expect((await run(`${line} --help`)).out).toMatch(new RegExp(`Examples?:\\n  .*aquifer ${line}`));
});

test('a shell completes commands, and what an option may be', () => {
  const complete = (...words: readonly string[]): readonly string[] => {
    const main = join(import.meta.dirname, 'main.ts');
    const printed = execFileSync(process.execPath, [main, 'complete', '--', ...words], {
      encoding: 'utf8',
    });
    return printed.split('\n').map((line) => line.split('\t')[0]!);
  };
  expect(complete('way')).toContain('waypoint');
  expect(complete('waypoint', '')).toEqual(expect.arrayContaining(['apply', 'delete', 'list']));
  expect(complete('version', '-o', '')).toEqual(expect.arrayContaining(['short', 'json', 'yaml']));
});

test('the version of the command is told also where no cluster can be asked', async () => {
  const { code, out, errors } = await run('version --kubeconfig /nowhere');
  expect([code, out]).toEqual([0, 'client version: 0.1.0\n']);
  expect(errors).toContain('of the cluster nothing is known: --kubeconfig /nowhere: no such file');
  const { out: json } = await run('version --no-remote -o json');
  expect(JSON.parse(json)).toEqual({
    clientVersion: '0.1.0',
    controlPlane: null,
    dataPlane: null,
  });
});

test('a kubeconfig that is not there, not readable or of another context is named; no other cluster is asked', async () => {
  const list = 'waypoint list';
  expect(await run(`--kubeconfig /nowhere ${list}`)).toMatchObject({
    code: 1,
    errors: 'error: --kubeconfig /nowhere: no such file\n',
  });
  expect((await run(list, { KUBECONFIG: '/nowhere' })).errors).toContain('KUBECONFIG=/nowhere: no');
  const broken = join(api.directory, 'broken');
  writeFileSync(broken, '{');
  expect((await run(`${list} -c ${broken}`)).errors).toContain(`${broken} cannot be read`);
  writeFileSync(broken, 'apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\n');
  expect((await run(`${list} -c ${broken}`)).errors).toContain('has no current context');
  const other = await run(`${list} --context other`);
  expect(other.errors).toContain('has no context "other"');
  expect(other.errors).toContain('existing: ');
});

test('KUBECONFIG may name several files', async () => {
  const empty = join(api.directory, 'empty');
  writeFileSync(empty, 'apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\n');
  const { errors } = await run('waypoint apply -n nowhere', {
    KUBECONFIG: `/nowhere:${empty}:${kubeconfig}`,
  });
  expect(errors).toContain('namespace nowhere does not exist');
});

test('a cluster that does not answer is named, and why', async () => {
  const away = join(api.directory, 'away');
  const gone = new ScriptedKubernetesApi();
  writeFileSync(away, await gone.start());
  await gone.stop();
  const { code, errors } = await run(`waypoint list -c ${away}`);
  expect(code).toBe(1);
  expect(errors).toMatch(
    /^error: the cluster cannot be reached: connect ECONNREFUSED 127.0.0.1:\d+\n$/,
  );
});

test('check lists why the cluster cannot be reached', async () => {
  const away = join(api.directory, 'away');
  const { code, out } = await run(`check -c ${away} -o json`);
  expect(code).toBe(1);
  expect(JSON.parse(out).at(-1)).toMatchObject({
    state: 'missing',
    what: expect.stringContaining('connect ECONNREFUSED'),
  });
});

test('an unknown namespace is said, with the remedy', async () => {
  const { code, errors } = await run('waypoint apply -n nowhere');
  expect(code).toBe(1);
  expect(errors).toContain('kubectl create namespace nowhere');
});

test('a missing Gateway API is said, with the remedy', async () => {
  const scripted = new ScriptedKubernetesApi();
  scripted.absentGroups.add('gateway.networking.k8s.io/v1');
  scripted.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } });
  const path = join(api.directory, 'scripted');
  writeFileSync(path, await scripted.start());
  onTestFinished(() => scripted.stop());
  for (const line of ['waypoint apply', 'waypoint list', 'waypoint status -A']) {
    const { code, errors } = await run(`${line} -c ${path}`);
    expect(code).toBe(1);
    expect(errors).toContain('kubectl apply -f deploy/crds');
  }
});

test('what the API refuses is said in its words', async () => {
  const text = api.server.kubeconfig().replace(/client-certificate-data: .*/, 'token: x');
  const stranger = join(api.directory, 'stranger');
  writeFileSync(stranger, text.replace(/ +client-key-data: .*\n/, ''));
  expect(await run(`waypoint list -c ${stranger}`)).toMatchObject({
    code: 1,
    errors: 'error: you must be logged in to the server (Unauthorized)\n',
  });
  const { code, errors } = await run('waypoint apply --name Upper_Case');
  expect(code).toBe(1);
  expect(errors).toMatch(/^error: from server \(Invalid\): .*"upper_case" is invalid.*\n$/i);
});

test('generate prints the Gateway that istioctl prints, and needs no cluster', async () => {
  const line = 'waypoint generate --for all -r canary -n shop';
  const { code, out } = await run(line, { KUBECONFIG: '/nowhere' });
  expect(code).toBe(0);
  expect(out).toBe(`apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  labels:
    istio.io/rev: canary
    istio.io/waypoint-for: all
  name: waypoint
  namespace: shop
spec:
  gatewayClassName: istio-waypoint
  listeners:
  - name: mesh
    port: 15008
    protocol: HBONE
`);
  expect(parse((await run('waypoint generate')).out).metadata).toEqual({ name: 'waypoint' });
});

test('waypoints are applied, listed, waited for and deleted as with istioctl (P139)', async () => {
  expect((await run('waypoint list -A')).out).toBe('No waypoints found.\n');
  expect((await run('waypoint status')).out).toBe('No waypoints found.\n');
  for (const line of ['--name b -r canary', '--name a --for workload']) {
    const applied = await run(`waypoint apply ${line}`);
    expect(applied.code).toBe(0);
  }
  await program('default', 'a', 'True');
  expect((await run('waypoint list')).out).toBe(`NAME     REVISION     TRAFFIC TYPE     PROGRAMMED
a        default      workload         True
b        canary       none             Unknown
`);
  const json = JSON.parse((await run('waypoint list -o json')).out);
  expect(json).toEqual(parse((await run('waypoint list -o yaml')).out));
  expect(json[0]).toMatchObject({ kind: 'Gateway', metadata: { name: 'a', namespace: 'default' } });
  await program('default', 'b', 'False');
  const late = await run('waypoint status -A --waypoint-timeout 100ms');
  expect(late).toMatchObject({
    code: 1,
    out: `NAMESPACE     NAME     STATUS     TYPE           REASON         MESSAGE
default       a        True       Programmed     Programmed     is True
default       b        False      Programmed     Pending        is False
`,
  });
  expect(late.errors).toContain('timed out while retrieving status for waypoint\tdefault/b\n');
  expect((await run('waypoint status --wait=false')).code).toBe(0);
  const waited = await run('waypoint apply --name b -r canary --wait --waypoint-timeout 400ms');
  expect(waited.code).toBe(1);
  expect(waited.errors).toContain('timed out while waiting for waypoint default/b: Pending: is');
  expect(waited.errors).not.toContain('\u001b');
  expect(await run('waypoint delete c')).toMatchObject({
    code: 1,
    errors: 'error: no waypoint c in namespace default\n  → existing: a, b\n',
  });
  expect((await run('waypoint delete -r canary')).out).toBe('waypoint default/b deleted\n');
  expect((await run('waypoint delete a a')).out).toBe('waypoint default/a deleted\n');
  expect((await run('waypoint delete --all')).out).toBe('No waypoints found.\n');
});

test('who deletes the waypoint that a namespace uses is told that L7 rules no longer apply', async () => {
  const metadata = { name: 'user', labels: { 'istio.io/use-waypoint': 'waypoint' } };
  expect(await send('POST', '/api/v1/namespaces', { metadata })).toBe(201);
  for (const name of ['waypoint', 'spare']) await run(`waypoint apply -n user --name ${name}`);
  const spare = 'waypoint user/spare deleted\n';
  expect((await run('waypoint delete -n user spare')).out).toBe(spare);
  const { out } = await run('waypoint delete -n user waypoint');
  expect(out).toContain('L7 policies do not apply');
  expect(out).toContain('kubectl label namespace user istio.io/use-waypoint-\n');
});

test('--version prints the version alone', async () => {
  const { code, out } = await run('--version');
  expect([code, out]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)]);
});

test('a reader that goes away ends the command without a word', async () => {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, 'waypoint', '--help'], {
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  });
  child.stdout.destroy();
  const [errors, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  expect({ errors, code }).toEqual({ errors: '', code: 141 });
});

test('sandbox env is for eval: nothing on standard output unless a sandbox runs', async () => {
  const { code, out, errors } = await run('sandbox env', { SANDBOX_DATA_DIR: api.directory });
  expect([code, out]).toEqual([1, '']);
  expect(errors).toContain('aquifer sandbox up');
});

test('sandbox env names the kubeconfig, and the folder of a kubectl that is not on the PATH', async () => {
  const tools = join(api.directory, '.cache', 'aquifer', 'venv', 'bin');
  mkdirSync(tools, { recursive: true });
  writeFileSync(join(tools, 'kubectl'), '');
  const state = { pid: process.pid, url: 'https://127.0.0.1:1', startedAt: 'now', kubeconfig };
  writeFileSync(join(api.directory, 'sandbox.json'), JSON.stringify(state));
  const env = { SANDBOX_DATA_DIR: api.directory, PATH: `/nowhere:${tools}` };
  const { code, out } = await run('sandbox env', env);
  expect(code).toBe(0);
  expect(out).toBe(
    `export KUBECONFIG='${join(api.directory, 'kubeconfig')}'\nexport PATH="$PATH":'${tools}'\n`,
  );
  const none = await run('sandbox env', { SANDBOX_DATA_DIR: api.directory, PATH: '/nowhere' });
  expect(none.out).not.toContain('PATH=');
  expect(none.errors).toContain('kubectl is not on this machine');
});
