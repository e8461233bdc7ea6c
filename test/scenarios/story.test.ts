import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import { machineTraces, sandboxObstacle } from '../fixtures/sandbox.ts';
import { type ClusterEstimate, COMPARISON, problemsOfComparison } from '../story/comparison.ts';
import { captureLink, showsTls13 } from '../story/link-capture.ts';
import { ALLOW_CLIENT, DENY_DELETE, ROUTE, SERVER_V2, STRICT } from '../story/manifests.ts';
import { MeshSandbox } from '../story/mesh-sandbox.ts';
import { type PodInfo, Shop } from '../story/shop.ts';

/** The story that the README tells, in its order: each test goes on where the one before ended. */
const obstacle = sandboxObstacle();
/** Sent as a header, so that it can be looked for on the link. */
const PLAIN_WORDS = 'these-words-travel-in-plain-text';
const MARKED = ['-H', `x-words: ${PLAIN_WORDS}`];
const WAYPOINT = 'gateway.networking.k8s.io/gateway-name=waypoint';
const CUT_WITHIN_MS = 1_000;

describe.skipIf(obstacle !== null)(`the story${obstacle ? `: ${obstacle}` : ''}`, () => {
  let before: Record<string, unknown>;
  let sandbox: MeshSandbox;
  let shop: Shop;
  let client: PodInfo;
  let server: PodInfo;

  beforeAll(async () => {
    before = machineTraces();
    sandbox = await MeshSandbox.up(process.env);
    shop = new Shop(sandbox.kubectl);
    await shop.deploy();
    client = await shop.pod('client');
    server = await shop.pod('server');
  });

  afterAll(async () => {
    await sandbox?.down();
  });

  async function apply(yaml: string): Promise<void> {
    await sandbox.kubectl.apply(yaml);
  }

  /** Restarts a workload and waits until only its new pods are left. */
  async function replacePods(
    namespace: string,
    workload: string,
    { label, pods }: { readonly label: string; readonly pods: number },
  ): Promise<void> {
    const { kubectl } = sandbox;
    await kubectl.run('rollout', 'restart', '-n', namespace, workload);
    await kubectl.run('rollout', 'status', '-n', namespace, workload, '--timeout=60s');
    const left = ['get', 'pods', '-n', namespace, '-l', label, '-o', 'name'];
    await eventually(async () => (await kubectl.run(...left)).trim().split('\n').length === pods, {
      timeoutMs: 60_000,
    });
  }

  test('1. without the mesh a request works and crosses the link in plain text', async () => {
    const { packets, result } = await captureLink('node-1', () => shop.echo('client', '/', MARKED));
    expect(result.remoteAddress).toBe(client.ip);
    expect(packets.bytes.includes(PLAIN_WORDS)).toBe(true);
    expect(packets.portsOf(server.ip)).toEqual([8080]);
  });

  test('2. the label alone puts the same running pods on HBONE (P148); open connections go on', async () => {
    using held = await shop.hold('client');
    // The handshake crosses the link when the first tunnels are opened.
    const { packets, result } = await captureLink('node-1', async () => {
      const during = await shop.requestsWhile('client', async () => {
        await sandbox.kubectl.run('label', 'ns', 'shop', 'istio.io/dataplane-mode=ambient');
        await shop.untilRedirection('enabled', ['client', 'server', 'other']);
      });
      const echoes = [];
      for (let n = 0; n < 6; n++) echoes.push(await shop.echo('client', '/', MARKED));
      return { during, echoes };
    });
    expect(result.during.failed).toEqual([]);
    expect(result.during.succeeded).toBeGreaterThanOrEqual(1000);
    expect(result.during.succeeded).toBeGreaterThan(0);
    for (const echo of result.echoes) expect(echo.remoteAddress).toBe(client.ip);
    expect(packets.bytes.includes(PLAIN_WORDS)).toBe(false);
    expect(showsTls13(packets)).toBe(true);
    expect(await held.finish()).toBeGreaterThan(1);
    for (const pod of [client, server]) {
      const now = await shop.pod(pod === client ? 'client' : 'server');
      expect(now).toEqual({ ...pod, redirection: 'enabled' });
    }
  });

  test('2. between the enrolled pods nothing but port 15008 is on the link', async () => {
    const { packets } = await captureLink('node-1', () => shop.echo('client', '/', MARKED));
    expect(packets.portsOf(server.ip)).toEqual([15_008]);
  });

  test.for(['node-1', 'node-2'])('2. the log on %s names both identities', async (node) => {
    const identities = ['client', 'server'].map(
      (name) => `spiffe://cluster.local/ns/shop/sa/${name}`,
    );
    const direction = node === 'node-1' ? 'outbound' : 'inbound';
    const words = [
      `src.identity="${identities[0]}"`,
      `dst.identity="${identities[1]}"`,
      `direction="${direction}"`,
    ];
    await shop.echo('client');
    const lines = await eventually(async () => {
      const found = await shop.ztunnelLog(node, words);
      return found.length > 0 ? found : null;
    });
    expect(lines[0]).toContain('dst.service="server.shop.svc.cluster.local"');
  });

  test('2. a half-closed connection is answered after its end', async () => {
    expect(await shop.halfClose()).toBe('half-closed');
  });

  test('2. 100 MB survive byte for byte in both directions', async () => {
    expect(await shop.upload()).toBe(true);
    expect(await shop.download()).toBe(true);
  });

  test('2. requests carry on while new node proxies take over', async () => {
    const { failed, succeeded } = await shop.requestsWhile('client', () =>
      replacePods('istio-system', 'daemonset/ztunnel', { label: 'app=ztunnel', pods: 2 }),
    );
    expect(failed).toEqual([]);
    expect(succeeded).toBeGreaterThanOrEqual(1000);
  });

  test('3. a pod outside the mesh may call until STRICT, then it is refused (L159)', async () => {
    expect(await shop.status('outsider')).toBe('200');
    await apply(STRICT);
    await eventually(async () => (await shop.status('outsider')) === '000');
    expect(await shop.status('client')).toBe('200');
  });

  test('4. a policy for one account cuts the other off, its open connection within a second', async () => {
    expect(await shop.status('other')).toBe('200');
    using cut = await shop.hold('other');
    using kept = await shop.hold('client');
    await apply(ALLOW_CLIENT);
    const appliedAtMs = Date.now();
    const cutAtMs = await cut.cutAtMs(5_000);
    expect(cutAtMs).not.toBeNull();
    expect(cutAtMs! - appliedAtMs).toBeLessThan(CUT_WITHIN_MS);
    expect(await shop.status('other')).toBe('000');
    expect(await shop.status('client')).toBe('200');
    expect(await kept.finish()).toBeGreaterThan(1);
  });

  test('4. the log says which policy decided', async () => {
    const refused = await eventually(async () =>
      (await shop.ztunnelLog('node-2', ['policy="shop/only-client"', '/sa/other"', 'error='])).at(
        -1,
      ),
    );
    expect(refused).toContain('policy rejection: allow policies exist, but none allowed');
    const [cut] = await shop.ztunnelLog('node-2', ['closed due to policy change']);
    expect(cut).toContain('policy="shop/only-client"');
    expect(cut).toContain('spiffe://cluster.local/ns/shop/sa/other');
  });

  test('5. the waypoint becomes programmed and takes the requests of the namespace', async () => {
    // An L4 policy sees the waypoint as the caller from now on.
    await sandbox.kubectl.run('delete', 'authorizationpolicy', 'only-client', '-n', 'shop');
    const apply = ['waypoint', 'apply', '-n', 'shop', '--enroll-namespace', '--wait'];
    const { code, stderr } = await sandbox.aquifer(apply);
    expect(stderr).toContain('is programmed');
    expect(code).toBe(0);
    const waypoint = await shop.pod(WAYPOINT);
    await eventually(async () => (await shop.echo('client')).remoteAddress === waypoint.ip);
    const outbound = await shop.ztunnelLog('node-1', [
      'sa/client"',
      `dst.workload="${waypoint.name}"`,
    ]);
    expect(outbound.at(-1)).toContain('dst.identity="spiffe://cluster.local/ns/shop/sa/waypoint"');
  });

  test('5. an application that answers 503 once is not retried by default', async () => {
    expect(await shop.status('client', '/?failOnce=without-route')).toBe('503');
  });

  test('5. a route splits 90 to 10 and sends a header match to one version', async () => {
    await apply(SERVER_V2);
    await sandbox.kubectl.run(
      'rollout',
      'status',
      '-n',
      'shop',
      'deploy/server-v2',
      '--timeout=60s',
    );
    await apply(ROUTE);
    await eventually(
      async () => (await shop.versionsOf(20, ['-H', 'x-version: v2'])).get('v2') === 20,
    );
    const versions = await shop.versionsOf(400);
    expect(versions.get('v1')! + versions.get('v2')!).toBe(400);
    // 40 are expected; more than five standard deviations away is no chance.
    expect(versions.get('v2')).toBeGreaterThan(10);
    expect(versions.get('v2')).toBeLessThan(70);
  });

  test("5. the route's retry hides a backend that answers 503 once", async () => {
    expect(await shop.status('client', '/?failOnce=with-route')).toBe('200');
  });

  test('5. an L7 policy answers 403 to what it denies, and only to that', async () => {
    await apply(DENY_DELETE);
    const remove = ['-X', 'DELETE'];
    await eventually(async () => (await shop.status('client', '/items/1', remove)) === '403');
    expect(await shop.body('client', '/items/1', remove)).toBe('RBAC: access denied');
    expect(await shop.status('client', '/items/1')).toBe('200');
    expect(await shop.status('other', '/items/1', remove)).toBe('200');
  });

  test('5. requests carry on while the waypoint restarts', async () => {
    const { failed, succeeded } = await shop.requestsWhile('client', () =>
      replacePods('shop', 'deploy/waypoint', { label: WAYPOINT, pods: 1 }),
    );
    expect(failed).toEqual([]);
    expect(succeeded).toBeGreaterThanOrEqual(1000);
  });

  test('5. requests carry on while the namespace leaves its waypoint and comes back', async () => {
    const label = (value: string) => sandbox.kubectl.run('label', 'ns', 'shop', value);
    const { failed, succeeded } = await shop.requestsWhile('client', async () => {
      await label('istio.io/use-waypoint-');
      await eventually(async () => (await shop.echo('client')).remoteAddress === client.ip);
      await label('istio.io/use-waypoint=waypoint');
      await eventually(async () => (await shop.echo('client')).remoteAddress !== client.ip);
    });
    expect(failed).toEqual([]);
    expect(succeeded).toBeGreaterThanOrEqual(1000);
  });

  test('6. compare carries the load in four modes without an error, each proxy at a sane cost', async () => {
    const { code, stdout, stderr } = await sandbox.aquifer([...COMPARISON, '-o', 'json']);
    expect(stderr).not.toContain('✘');
    expect(code).toBe(0);
    expect(problemsOfComparison(stdout)).toEqual([]);
  }, 240_000);

  test('6. compare cluster reads what runs here and what needs HTTP, and estimates each mode', async () => {
    const { code, stdout } = await sandbox.aquifer(['compare', 'cluster', '-o', 'json']);
    expect(code).toBe(0);
    const { namespaces, projection } = JSON.parse(stdout) as ClusterEstimate;
    const shop = namespaces.find(({ namespace }) => namespace === 'shop');
    expect(shop?.captured).toBeGreaterThanOrEqual(3);
    expect(shop?.needsL7).toContain('HTTPRoute server');
    expect(projection.cluster).toMatchObject({ nodes: 2, waypoints: 1 });
    const memory = Object.fromEntries(projection.modes.map((one) => [one.mode, one.memoryGiB]));
    expect(memory.ambient).toBeGreaterThan(0.05);
    expect(memory.waypoint).toBeGreaterThan(memory.ambient!);
  });

  test('7. without the label open connections and new ones go on, past the mesh (P150)', async () => {
    // Not the client: what the L7 policy denies it is, on a TCP port, everything.
    using held = await shop.hold('other');
    const during = await shop.requestsWhile('client', async () => {
      await sandbox.kubectl.run('label', 'ns', 'shop', 'istio.io/dataplane-mode-');
      await shop.untilRedirection(null, ['client', 'server', 'other']);
      // Looked at once: a proxy that a pod has left carries what is open for five seconds.
      expect(await held.finish()).toBeGreaterThan(1);
    });
    expect(during.failed).toEqual([]);
    expect(during.succeeded).toBeGreaterThanOrEqual(1000);
    const { packets } = await captureLink('node-1', () => shop.echo('other', '/', MARKED));
    expect(packets.bytes.includes(PLAIN_WORDS)).toBe(true);
    expect(await shop.pod('server')).toEqual({ ...server, redirection: null });
  });

  test('7. down leaves nothing behind', async () => {
    expect(machineTraces()).not.toEqual(before);
    const { code, stdout, stderr } = await sandbox.down();
    expect(stderr).not.toContain('error');
    expect(code).toBe(0);
    expect(stdout).toContain('Nothing is left behind');
    expect(machineTraces()).toEqual(before);
  });
});
