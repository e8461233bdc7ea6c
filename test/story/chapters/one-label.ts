import { eventually } from '../../fixtures/eventually.ts';
import { atLeast, is, nothingFailed, same } from '../bounds.ts';
import { type Chapter, type Claim, claim, step } from '../chapter.ts';
import type { HeldConnection } from '../held-connection.ts';
import { captureLink } from '../link-capture.ts';
import type { LoadResult } from '../request-load.ts';
import type { Echo, PodInfo, Shop } from '../shop.ts';
import { MARKED, onTheLink, showLink } from './on-the-link.ts';

export const CAPTURED: readonly string[] = ['client', 'server', 'other'];
const ZTUNNEL = { label: 'app=ztunnel', pods: 2 };
const SERVICE = 'dst.service="server.shop.svc.cluster.local"';
const REQUESTS = 6;

function both(shop: Shop): Promise<PodInfo[]> {
  return Promise.all(['client', 'server'].map((app) => shop.pod(app)));
}

/** Of the node proxy on either node, an access line that names both sides of a call of the client. */
async function accessLines(shop: Shop): Promise<string[]> {
  const sides = ['client', 'server'].map((name) => `spiffe://cluster.local/ns/shop/sa/${name}`);
  const identities = [`src.identity="${sides[0]}"`, `dst.identity="${sides[1]}"`];
  const directions = { 'node-1': 'outbound', 'node-2': 'inbound' };
  return Promise.all(
    Object.entries(directions).map(([node, direction]) =>
      eventually(
        async () =>
          (await shop.ztunnelLog(node, [...identities, SERVICE, `direction="${direction}"`])).at(
            -1,
          ),
        { what: `an access line of ${node}` },
      ),
    ),
  );
}

export function oneLabel(): Chapter {
  let before: PodInfo[];
  let held: HeldConnection;
  let load: LoadResult;
  let echoes: Echo[];
  let handshakes: ReturnType<typeof onTheLink>;
  let settled: ReturnType<typeof onTheLink>;
  return {
    title: '2. One label: the same running pods speak HBONE',
    says: 'The proxy of each node takes over what its pods send and get; between the nodes it is mutual TLS.',
    parts: [
      step(async (stage) => {
        const { shop } = stage;
        before = await both(shop);
        held = await stage.hold('client');
        // The handshakes cross the link when the first tunnels are opened.
        const { packets, result } = await captureLink('node-1', async () => {
          const during = await shop.requestsWhile('client', async () => {
            await stage.kubectl('label', 'namespace', 'shop', 'istio.io/dataplane-mode=ambient');
            await shop.untilRedirection('enabled', CAPTURED);
          });
          const answers = [await stage.request('client', MARKED)];
          while (answers.length < REQUESTS) answers.push(await shop.echo('client', '/', MARKED));
          return { during, answers };
        });
        load = result.during;
        echoes = result.answers;
        handshakes = onTheLink(packets, before[1]!.ip);
      }),
      claim(
        'the pods are the same, and not restarted',
        async ({ shop }) => ({
          found: await both(shop),
          wanted: before.map((pod) => ({ ...pod, redirection: 'enabled' })),
        }),
        same,
      ),
      claim(
        'the server still sees the address of the client',
        () => ({
          found: [...new Set(echoes.map(({ remoteAddress }) => remoteAddress))],
          wanted: [before[0]!.ip],
        }),
        same,
      ),
      claim(
        'a connection that was open before goes on',
        async () => (await held.finish()).lines,
        atLeast(2, 'lines came back'),
      ),
      claim('no new connection fails while the pods are captured', () => load, nothingFailed),
      step(async (stage) => {
        const request = () => stage.shop.echo('client', '/', MARKED);
        settled = onTheLink((await captureLink('node-1', request)).packets, before[1]!.ip);
        showLink(stage, settled);
      }),
      claim(
        'only TLS 1.3 on port 15008 is on the link',
        () => ({
          ports: settled.ports,
          isReadable: handshakes.isReadable || settled.isReadable,
          isTls13: handshakes.isTls13,
        }),
        is({ ports: [15_008], isReadable: false, isTls13: true }),
      ),
      ...whatPasses(),
    ],
  };
}

/** What the node proxies say and carry. */
function whatPasses(): Chapter['parts'] {
  let lines: string[];
  let load: LoadResult;
  return [
    step(async ({ narrator, shop }) => {
      narrator.typed('kubectl logs -n istio-system -l app=ztunnel | grep access');
      lines = await accessLines(shop);
      const fields = lines[0]!.match(/(src|dst)\.(workload|identity|service)="[^"]*"/g) ?? [];
      narrator.cameBack(fields.join('\n'));
    }),
    claim('the access logs of both nodes name both identities', () => lines.length, is(2)),
    claim(
      'a half-closed connection is answered',
      ({ shop }) => shop.halfClose(),
      is('half-closed'),
    ),
    bytes(),
    step(async (stage) => {
      load = await stage.shop.requestsWhile('client', () =>
        stage.replacePods('istio-system', 'daemonset/ztunnel', ZTUNNEL),
      );
    }),
    claim('no request fails while new node proxies take over', () => load, nothingFailed),
  ];
}

function bytes(): Claim {
  return claim(
    '100 MB arrive byte for byte, up and down',
    async ({ shop }) => {
      const startedAtMs = performance.now();
      const [up, down] = [await shop.upload(), await shop.download()];
      return { up, down, seconds: (performance.now() - startedAtMs) / 1000 };
    },
    {
      says: 'the same digest on both sides, both ways',
      holds: ({ up, down }) => up && down,
      shown: ({ seconds }) => `${seconds.toFixed(1)} s`,
    },
  );
}
