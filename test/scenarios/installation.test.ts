import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import { sandboxObstacle } from '../fixtures/sandbox.ts';
import type { CommandResult } from '../story/kubectl.ts';
import { MeshSandbox } from '../story/mesh-sandbox.ts';
import { RequestLoad } from '../story/request-load.ts';
import { Shop } from '../story/shop.ts';

const obstacle = sandboxObstacle();
const CLIENT = { namespace: 'shop', target: 'deploy/client' };
const FEWEST_REQUESTS = 1000;

/** `aquifer install`, `upgrade` and `uninstall` on a cluster without a mesh, with a shop in it that is used meanwhile. */
describe.skipIf(obstacle !== null)(`installation${obstacle ? `: ${obstacle}` : ''}`, () => {
  let sandbox: MeshSandbox;
  let shop: Shop;

  beforeAll(async () => {
    sandbox = await MeshSandbox.up(process.env, ['--no-mesh']);
    shop = new Shop(sandbox.kubectl);
    await shop.deploy();
  });
  afterAll(() => sandbox?.down());

  async function aquifer(...args: string[]): Promise<CommandResult> {
    const result = await sandbox.aquifer(args);
    if (result.code !== 0) throw new Error(`aquifer ${args.join(' ')}: ${result.stderr}`);
    return result;
  }

  async function planned(...args: string[]): Promise<Record<string, string[]>> {
    const { stdout } = await aquifer(...args, '--dry-run', '-o', 'json');
    const { changes } = JSON.parse(stdout) as {
      changes: { action: string; object: string; fields: string[] }[];
    };
    const changed = changes.filter(({ action }) => action !== 'unchanged');
    return Object.fromEntries(
      changed.map(({ object, action, fields }) => [object, [action, ...fields]]),
    );
  }

  async function refused(...args: string[]): Promise<string> {
    const { code, stderr } = await sandbox.aquifer(args);
    expect(code).toBe(1);
    return stderr;
  }

  test('what does not exist cannot be upgraded or removed, and mistakes are named', async () => {
    expect(await refused('upgrade')).toContain('install it with: aquifer install');
    expect(await refused('uninstall', '--yes')).toContain('there is no mesh in this cluster');
    expect(await refused('install', '--set', 'pilot.replicas=2')).toContain(
      'there is no value pilot.replicas',
    );
    expect(await refused('install', '--set', 'pilot.replicaCount=two')).toContain(
      'value pilot.replicaCount must be an integer, not "two"',
    );
    expect(await refused('install', '-f', '/nowhere.yaml')).toContain('values file /nowhere.yaml');
  });

  test('a dry run says what would be made, and makes nothing', async () => {
    const changes = await planned('install');
    expect(changes['Deployment/istiod']).toEqual(['create']);
    expect(changes['DaemonSet/ztunnel']).toEqual(['create']);
    expect(await sandbox.kubectl.run('get', 'deployments', '-A')).not.toContain('istiod');
  });

  test('an image that cannot be had is said soon, with what to do', async () => {
    const said = await refused('install', '--set', 'pilot.image=registry.example/none:v1');
    expect(said).toMatch(
      /istiod-\S+: (?:ErrImagePull|ImagePullBackOff): .*registry\.example\/none/,
    );
    expect(said).toContain('npm run images');
    await aquifer('uninstall', '--yes');
  });

  test('once installed it captures what is enrolled, and there is nothing left to change', async () => {
    const { stdout } = await aquifer('install', '--set', 'ztunnel.logLevel=debug');
    expect(stdout).toContain('The mesh is ready');
    await sandbox.kubectl.run('label', 'namespace', 'shop', 'istio.io/dataplane-mode=ambient');
    await shop.untilRedirection('enabled', ['client', 'server']);
    expect(await shop.status('client')).toBe('200');
    expect(await planned('upgrade')).toEqual({});
    expect(await refused('install')).toContain('change it with: aquifer upgrade');
  });

  test('an upgrade under load keeps the values that were set, and no request fails', async () => {
    expect(await planned('upgrade', '--set', 'ztunnel.podLabels.team=mesh')).toEqual({
      'ConfigMap/aquifer-values': ['change', 'data.values.yaml'],
      'DaemonSet/ztunnel': ['change', 'spec.template.metadata.labels.team'],
    });
    using load = await RequestLoad.begin(sandbox.kubectl, CLIENT, FEWEST_REQUESTS);
    await aquifer('upgrade', '--set', 'ztunnel.podLabels.team=mesh', '--set', 'pilot.env.A=b');
    const { succeeded, failed } = await load.finish();
    expect(failed).toEqual([]);
    expect(succeeded).toBeGreaterThanOrEqual(FEWEST_REQUESTS);
    const pods = await sandbox.kubectl.run(
      'get',
      'pods',
      '-n',
      'istio-system',
      '-l',
      'team=mesh',
      '-o',
      'yaml',
    );
    expect(pods).toContain('value: debug');
  });

  test('a look at the cluster finds nothing that is missing, and every proxy served', async () => {
    await aquifer('waypoint', 'apply', '-n', 'shop', '--wait');
    const { stdout } = await aquifer('check', '-o', 'json');
    const findings = JSON.parse(stdout) as { area: string; what: string; state: string }[];
    const ofCluster = findings.filter(({ area }) => area === 'cluster');
    expect(ofCluster.filter(({ state }) => state === 'missing')).toEqual([]);
    expect(ofCluster.map(({ what }) => what)).toContain('waypoints that are programmed: 1 of 1');
    const { stdout: table } = await aquifer('proxy-status');
    expect(table).toMatch(/^waypoint-\S+\.shop +Kubernetes +istiod-\S+ .*3 \(CDS,LDS,EDS\)$/m);
    expect(table.match(/^ztunnel-\S+\.istio-system .*\(WDS,WADS,PODS\)$/gm)).toHaveLength(2);
    const { stdout: versions } = await aquifer('version');
    expect(versions).toMatch(
      /^control plane version: \S+\ndata plane version: \S+ \(3 proxies\)$/m,
    );
  });

  test('what a waypoint is served can be read, and so can the connections of a ztunnel', async () => {
    const { stdout: listeners } = await aquifer(
      'proxy-config',
      'listeners',
      'waypoint',
      '-n',
      'shop',
    );
    expect(listeners).toMatch(/^connect_terminate +0\.0\.0\.0 +15008 .*Route: default$/m);
    const { stdout: secrets } = await aquifer('pc', 'secret', 'waypoint.shop', '-o', 'json');
    expect(secrets).toContain('ROOTCA');
    expect(secrets).not.toContain(Buffer.from('PRIVATE KEY').toString('base64').slice(0, 8));
    expect(await refused('pc', 'routes', 'nobody', '-n', 'shop')).toContain(
      'no Gateway of that name',
    );
    using held = await shop.hold('client');
    const { stdout } = await aquifer('zc', 'connections', '--node', 'node-1');
    expect(stdout).toMatch(/^client-\S+\.shop +Outbound +client-\S+ .*server.*:9090 +HBONE$/m);
    expect((await held.finish()).lines).toBeGreaterThan(0);
    const { stdout: level } = await aquifer('zc', 'log', '--node', 'node-1', '--level', 'info');
    expect(level).toMatch(/^ztunnel-\S+: current log level is .*info$/m);
  });

  test('an archive for others holds logs and configuration, and no secret', async () => {
    const archive = join(tmpdir(), `aquifer-report-${process.pid}.tar.gz`);
    onTestFinished(() => rmSync(archive, { force: true }));
    const { stdout } = await aquifer('bug-report', '--output', archive, '--lines', '50');
    expect(stdout.trim()).toBe(archive);
    const names = execFileSync('tar', ['-tzf', archive], { encoding: 'utf8' });
    for (const part of ['istiod', 'ztunnel'])
      expect(names).toMatch(new RegExp(`/${part}/istio-system/\\S+/log\\.txt`));
    expect(names).toMatch(/\/waypoint\/shop\/waypoint-\S+\/config_dump\.json/);
    const everything = execFileSync('tar', ['-xzOf', archive], {
      encoding: 'utf8',
      maxBuffer: 1e8,
    });
    expect(everything).not.toMatch(/PRIVATE KEY|kind: Secret/);
    expect(
      execFileSync('tar', ['-xzOf', archive, 'aquifer-bug-report/missing.txt'], {
        encoding: 'utf8',
      }),
    ).toBe('');
  });

  test('another mesh beside it is refused', async () => {
    const { kubectl } = sandbox;
    const name = 'deployment/istiod-other';
    await kubectl.run('create', 'deployment', 'istiod-other', '--image=nginx', '--replicas=0');
    await kubectl.run('label', name, 'app=istiod', '--overwrite');
    expect(await refused('upgrade')).toContain(
      "deployment default/istiod-other is another mesh's control plane",
    );
    await kubectl.run('delete', name);
  });

  test('it is removed without an interruption for what was enrolled', async () => {
    expect(await refused('uninstall')).toContain('repeat it with --yes');
    using load = await RequestLoad.begin(sandbox.kubectl, CLIENT, FEWEST_REQUESTS);
    const { stdout } = await aquifer('uninstall', '--yes');
    expect(stdout).toContain('kubectl label namespace shop istio.io/dataplane-mode=ambient');
    const { succeeded, failed } = await load.finish();
    expect(failed).toEqual([]);
    expect(succeeded).toBeGreaterThanOrEqual(FEWEST_REQUESTS);
  });

  test('nothing of it is left but the custom resources and the root key', async () => {
    await eventually(async () => {
      const names = await sandbox.kubectl.run('get', KINDS, '-A', '-o', 'name');
      return !/istiod|ztunnel|waypoint|istio-ca/.test(names);
    });
    const pod = await shop.pod('client');
    expect(pod.redirection).not.toBe('enabled');
    expect(rulesOf(pod.uid)).toBe('');
    expect(await sandbox.kubectl.run('get', 'gateways', '-n', 'shop', '-o', 'name')).toContain(
      'waypoint',
    );
    expect(
      await sandbox.kubectl.run('get', 'secrets', '-n', 'istio-system', '-o', 'name'),
    ).toContain('istio-ca-secret');
  });

  test('what is left is purged when that is asked for', async () => {
    await aquifer('uninstall', '--yes', '--purge');
    const istio = async () => {
      const names = await sandbox.kubectl.run('get', 'crds,namespaces', '-o', 'name');
      return names.split('\n').filter((name) => name.includes('istio'));
    };
    await eventually(async () => (await istio()).length === 0);
    expect(await istio()).toEqual([]);
  });
});

const KINDS =
  'deployments,daemonsets,pods,services,serviceaccounts,configmaps,roles,rolebindings,clusterroles,clusterrolebindings,validatingwebhookconfigurations';

/** What the network of a pod has of rules. */
function rulesOf(uid: string): string {
  const find = `grep -ls ${uid} /proc/[0-9]*/cgroup | head -1 | cut -d/ -f3`;
  const pid = execFileSync('sh', ['-c', find], { encoding: 'utf8' }).trim();
  return execFileSync('nsenter', ['-t', pid, '-n', 'nft', 'list', 'ruleset'], { encoding: 'utf8' });
}
