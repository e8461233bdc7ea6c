/**
 * `npm run conformance -- gateway-api`: the official suite of the Gateway API for meshes, on a sandbox of its own. Its report goes to
 * `docs/conformance/gateway-api.yaml`. As root, with Go.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import manifest from '../../../package.json' with { type: 'json' };
import { MeshSandbox } from '../../story/mesh-sandbox.ts';
import { writeEchoImage } from './echo-image.ts';
import { buildSuitePrograms, type SuitePrograms } from './programs.ts';

const REPORT = join(import.meta.dirname, '../../../docs/conformance/gateway-api.yaml');
const MESH_NAMESPACE = 'gateway-conformance-mesh';
const LABELS = 'istio.io/dataplane-mode=ambient,istio.io/use-waypoint=waypoint';

/** The core, and all that is optional for meshes. */
const FEATURES = [
  ...['Mesh', 'GRPCRoute', 'HTTPRoute', 'ReferenceGrant'],
  ...['MeshClusterIPMatching', 'MeshConsumerRoute', 'MeshHTTPRouteRewritePath'],
  ...['MeshHTTPRouteSchemeRedirect', 'MeshHTTPRouteRedirectPort', 'MeshHTTPRouteRedirectPath'],
  ...['MeshHTTPRouteBackendRequestHeaderModification', 'MeshHTTPRouteQueryParamMatching'],
  ...['MeshHTTPRouteNamedRouteRule', 'HTTPRoute303RedirectStatusCode'],
  ...['HTTPRoute307RedirectStatusCode', 'HTTPRoute308RedirectStatusCode'],
];

/** Also a run for meshes waits for pods in these namespaces. */
const AWAITED = ['gateway-conformance-app-backend', 'gateway-conformance-web-backend'].map(
  (namespace) => `
apiVersion: v1
kind: Namespace
metadata: { name: ${namespace} }
---
apiVersion: v1
kind: Pod
metadata: { name: awaited, namespace: ${namespace} }
spec: { containers: [{ name: pause, image: busybox, command: [sleep, infinity] }] }
---`,
);

const MESH = `
apiVersion: v1
kind: Namespace
metadata: { name: ${MESH_NAMESPACE}, labels: { gateway-conformance: mesh } }
`;

async function runSuite({ suite }: SuitePrograms, env: NodeJS.ProcessEnv): Promise<boolean> {
  const flags = {
    'conformance-profiles': 'MESH-HTTP,MESH-GRPC',
    'supported-features': FEATURES.join(),
    'mesh-name': 'aquifer',
    'namespace-labels': LABELS,
    'report-output': REPORT,
    organization: 'aquifer',
    project: 'aquifer',
    url: 'https://example.com/aquifer',
    version: `v${manifest.version}`,
    contact: 'none',
  };
  const args = Object.entries(flags).map(([name, value]) => `-${name}=${value}`);
  const child = spawn(suite, ['-test.run=^TestConformance$', '-test.v', ...args], {
    env,
    cwd: tmpdir(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.setEncoding('utf8');
  for await (const text of child.stdout) {
    for (const line of String(text).split('\n')) {
      // Each test, and of its requests those that failed; features that are not of meshes are skipped.
      if (/^ {4}--- PASS|--- FAIL/.test(line)) console.log(line.trim());
    }
  }
  if (child.exitCode === null) await once(child, 'exit');
  return child.exitCode === 0;
}

/** Whether every test of the suite has passed. */
export async function runGatewayApiSuite(): Promise<boolean> {
  console.log('building the suite and its echo program (minutes, the first time) …');
  const programs = buildSuitePrograms();
  const directory = mkdtempSync(join(tmpdir(), 'gateway-api-'));
  const archive = join(directory, 'echo.tar');
  writeEchoImage(programs, archive);
  console.log('bringing up a sandbox …');
  const sandbox = await MeshSandbox.up(process.env);
  try {
    const run = async (...args: readonly string[]): Promise<void> => {
      const { code, stderr } = await sandbox.aquifer(args);
      if (code !== 0) throw new Error(`aquifer ${args.join(' ')}: ${stderr}`);
    };
    await run('sandbox', 'images', 'load', archive);
    await sandbox.kubectl.apply(AWAITED.join(''));
    await sandbox.kubectl.apply(MESH);
    await run('waypoint', 'apply', '-n', MESH_NAMESPACE, '--wait');
    console.log(`running the suite ${programs.version} …`);
    return await runSuite(programs, { ...process.env, KUBECONFIG: sandbox.kubectl.env.KUBECONFIG });
  } finally {
    await sandbox.down();
    rmSync(directory, { recursive: true });
  }
}
