import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../fixtures/eventually.ts';
import { COMPARISON, problemsOfComparison } from '../story/comparison.ts';
import { type CapturedPackets, captureLink, showsTls13 } from '../story/link-capture.ts';
import { ALLOW_CLIENT, DENY_DELETE, ROUTE, SERVER_V2, SHOP, STRICT } from '../story/manifests.ts';
import type { LoadResult } from '../story/request-load.ts';
import type { Stage } from './stage.ts';

const PLAIN_WORDS = 'these-words-travel-in-plain-text';
const MARKED = ['-H', `x-words: ${PLAIN_WORDS}`];
const CAPTURED = ['client', 'server', 'other'];
const CUT_WITHIN_MS = 1_000;
const FEWEST_REQUESTS = 1000;

/** Whether it comes true soon. */
async function comesTrue(condition: () => Promise<boolean>): Promise<boolean> {
  return eventually(condition).catch(() => false);
}

function claimNothingFailed(stage: Stage, what: string, { succeeded, failed }: LoadResult): void {
  if (failed.length > 0) stage.narrator.cameBack(failed.slice(0, 5).join('\n'));
  stage.narrator.claim(
    `${succeeded} ${what}, ${failed.length} failed`,
    failed.length === 0 && succeeded >= FEWEST_REQUESTS,
  );
}

function showLink(stage: Stage, packets: CapturedPackets, serverIp: string): void {
  stage.narrator.typed('ip netns exec aqf-node-1 tcpdump -i fabric  # the link between the nodes');
  const words = packets.bytes.includes(PLAIN_WORDS)
    ? `"x-words: ${PLAIN_WORDS}"`
    : 'nothing readable';
  stage.narrator.cameBack(
    `ports of the server: ${packets.portsOf(serverIp).join(', ')}; contents: ${words}`,
  );
}

/** 1. A client on one node, a server on the other, no mesh. */
async function withoutMesh(stage: Stage): Promise<void> {
  const { narrator, shop } = stage;
  await stage.applyFile('client on node-1, server on node-2, a pod outside', SHOP);
  await shop.deploy();
  const server = await shop.pod('server');
  const { packets, result } = await captureLink('node-1', () => stage.request('client', MARKED));
  narrator.claim('the request works', result.pod === server.name && result.version === 'v1');
  showLink(stage, packets, server.ip);
  narrator.claim('the link shows it in plain text', packets.bytes.includes(PLAIN_WORDS));
}

/** 2. The label: the same pods, now over HBONE. */
async function enrolled(stage: Stage): Promise<void> {
  const { narrator, shop } = stage;
  const [client, server] = [await shop.pod('client'), await shop.pod('server')];
  using held = await shop.hold('client');
  await stage.kubectl('label', 'namespace', 'shop', 'istio.io/dataplane-mode=ambient');
  await shop.untilRedirection('enabled', CAPTURED);
  const { packets, result } = await captureLink('node-1', async () => {
    const echo = await stage.request('client', MARKED);
    for (let n = 0; n < 4; n++) await shop.echo('client', '/', MARKED);
    return echo;
  });
  const now = await shop.pod('server');
  narrator.claim(
    'the pods are the same, and not restarted',
    now.uid === server.uid && now.restarts === server.restarts,
  );
  narrator.claim(
    'the server still sees the address of the client',
    result.remoteAddress === client.ip,
  );
  narrator.claim('a connection that was open before goes on', (await held.finish()) > 0);
  const settled = await captureLink('node-1', () => shop.echo('client', '/', MARKED));
  showLink(stage, settled.packets, server.ip);
  const isHidden =
    !packets.bytes.includes(PLAIN_WORDS) && !settled.packets.bytes.includes(PLAIN_WORDS);
  const isOnlyHbone = settled.packets.portsOf(server.ip).join() === '15008';
  narrator.claim(
    'only TLS 1.3 on port 15008 is on the link',
    showsTls13(packets) && isHidden && isOnlyHbone,
  );
  await showIdentities(stage);
  narrator.claim(
    'a half-closed connection is answered',
    (await shop.halfClose()) === 'half-closed',
  );
  const startedAtMs = performance.now();
  const isWhole = (await shop.upload()) && (await shop.download());
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
  narrator.claim(`100 MB arrive byte for byte, up and down (${seconds} s)`, isWhole);
}

async function showIdentities(stage: Stage): Promise<void> {
  const { narrator, shop } = stage;
  const both = ['client', 'server'].map((name) => `spiffe://cluster.local/ns/shop/sa/${name}`);
  narrator.typed('kubectl logs -n istio-system -l app=ztunnel | grep access');
  const line = await eventually(async () => (await shop.ztunnelLog('node-1', both)).at(-1));
  const fields = line.match(/(src|dst)\.(workload|identity|service)="[^"]*"/g) ?? [];
  narrator.cameBack(fields.join('\n'));
  narrator.claim(
    "ztunnel's access log names both identities",
    both.every((identity) => fields.some((field) => field.includes(identity))),
  );
}

/** 3. A caller without identity: allowed until STRICT. */
async function strict(stage: Stage): Promise<void> {
  const { narrator, shop } = stage;
  narrator.claim(
    'a pod outside the mesh can still call',
    (await shop.status('outsider')) === '200',
  );
  await stage.apply(STRICT);
  const isRefused = await comesTrue(async () => (await shop.status('outsider')) === '000');
  narrator.claim('with STRICT it is refused', isRefused);
  narrator.claim('and pods of the mesh are not', (await shop.status('client')) === '200');
}

/** 4. A policy for one service account. */
async function authorized(stage: Stage): Promise<void> {
  const { narrator, shop } = stage;
  using held = await shop.hold('other');
  await stage.apply(ALLOW_CLIENT);
  const appliedAtMs = Date.now();
  const cutAtMs = await held.cutAtMs(5_000);
  const afterMs = cutAtMs === null ? Number.POSITIVE_INFINITY : Math.max(0, cutAtMs - appliedAtMs);
  narrator.claim(
    `the open connection of the other client is cut within a second (${afterMs} ms after kubectl returned)`,
    afterMs < CUT_WITHIN_MS,
  );
  narrator.claim('its new connections are refused', (await shop.status('other')) === '000');
  narrator.claim('the allowed client goes on', (await shop.status('client')) === '200');
  const words = ['policy="shop/only-client"', 'sa/other"'];
  const line = await eventually(async () => (await shop.ztunnelLog('node-2', words)).at(-1));
  const told: readonly string[] = line.match(/(src\.identity|policy|error)="[^"]*"/g) ?? [];
  narrator.cameBack(told.join(' '));
  narrator.claim(
    'the log says which policy decided',
    told.includes('policy="shop/only-client"') && told.length === 3,
  );
}

/** 5. A waypoint: routing, retry, L7 authorization. */
async function waypoint(stage: Stage): Promise<void> {
  const { narrator, shop } = stage;
  await stage.kubectl('delete', 'authorizationpolicy', '-n', 'shop', 'only-client');
  const applied = await stage.aquifer(
    ['waypoint', 'apply', '-n', 'shop', '--enroll-namespace', '--wait'],
    4,
  );
  narrator.claim('the waypoint is programmed', applied.code === 0);
  const { ip } = await shop.pod('gateway.networking.k8s.io/gateway-name=waypoint');
  await eventually(async () => (await shop.echo('client')).remoteAddress === ip);
  const unprotected = await shop.status('client', '/?failOnce=demo-1');
  await stage.applyFile('a second version of the server', SERVER_V2);
  await shop.kubectl.run('rollout', 'status', '-n', 'shop', 'deploy/server-v2', '--timeout=60s');
  await stage.apply(ROUTE);
  const isRouted = await comesTrue(
    async () => (await shop.versionsOf(10, ['-H', 'x-version: v2'])).get('v2') === 10,
  );
  const split = await shop.versionsOf(400);
  const [v1 = 0, v2 = 0] = [split.get('v1'), split.get('v2')];
  narrator.claim(
    `400 requests are split 90 to 10: v1 ${v1}, v2 ${v2}`,
    v1 + v2 === 400 && v2 > 10 && v2 < 70,
  );
  const chosen = await shop.versionsOf(100, ['-H', 'x-version: v2']);
  narrator.claim(
    `x-version: v2 goes to v2, every time: ${chosen.get('v2') ?? 0} of 100`,
    isRouted && chosen.get('v2') === 100,
  );
  const isHidden = (await shop.status('client', '/?failOnce=demo-2')) === '200';
  narrator.claim(
    `a backend that answers 503 once is hidden by the route's retry (without it: ${unprotected})`,
    isHidden && unprotected === '503',
  );
  await stage.apply(DENY_DELETE);
  await eventually(
    async () => (await shop.status('client', '/items/1', ['-X', 'DELETE'])) === '403',
  );
  const answer = await shop.body('client', '/items/1', ['-X', 'DELETE']);
  narrator.claim(`DELETE /items/1 answers 403 "${answer}"`, answer === 'RBAC: access denied');
  narrator.claim('GET /items/1 does not', (await shop.status('client', '/items/1')) === '200');
  const during = await shop.requestsWhile('client', async () => {
    await stage.kubectl('rollout', 'restart', '-n', 'shop', 'deploy/waypoint');
    await shop.kubectl.run('rollout', 'status', '-n', 'shop', 'deploy/waypoint', '--timeout=60s');
  });
  claimNothingFailed(stage, 'requests while the waypoint restarts', during);
}

/** 6. What each mode costs. */
async function compared(stage: Stage): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'aquifer-demo-'));
  try {
    const saved = join(directory, 'run.json');
    const { code, stdout } = await stage.aquifer([...COMPARISON, '-o', 'json'], 0);
    writeFileSync(saved, stdout);
    if (code === 0) await stage.aquifer(['compare', 'report', saved], 40);
    const problems = code === 0 ? problemsOfComparison(stdout) : ['no report'];
    if (problems.length > 0) stage.narrator.cameBack(`wrong: ${problems.join('; ')}`);
    stage.narrator.claim(
      'each mode carried the load without an error, and its cost stands beside the others',
      problems.length === 0,
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** 7. The label comes off again. */
async function released(stage: Stage): Promise<void> {
  const { narrator, shop } = stage;
  const during = await shop.requestsWhile('client', async () => {
    await stage.kubectl('label', 'namespace', 'shop', 'istio.io/dataplane-mode-');
    await shop.untilRedirection(null, CAPTURED);
  });
  claimNothingFailed(stage, 'new connections meanwhile', during);
  const { packets } = await captureLink('node-1', () => stage.request('client', MARKED));
  narrator.claim('traffic no longer passes the mesh', packets.bytes.includes(PLAIN_WORDS));
}

interface StoryChapter {
  readonly title: string;
  readonly claims: number;
  readonly tell: (stage: Stage) => Promise<void>;
}

/** The story, in order. */
export const CHAPTERS: readonly StoryChapter[] = [
  { title: '1. Without a mesh', claims: 2, tell: withoutMesh },
  { title: '2. One label: the same running pods speak HBONE', claims: 7, tell: enrolled },
  { title: '3. STRICT: only callers with an identity', claims: 3, tell: strict },
  { title: '4. One service account is allowed', claims: 4, tell: authorized },
  { title: '5. A waypoint: routes, retries, L7 policy', claims: 7, tell: waypoint },
  { title: '6. What each mode costs', claims: 1, tell: compared },
  { title: '7. The label comes off', claims: 2, tell: released },
];
