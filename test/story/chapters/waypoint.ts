import { eventually } from '../../fixtures/eventually.ts';
import { is, nothingFailed } from '../bounds.ts';
import { type Bound, type Chapter, claim, step } from '../chapter.ts';
import { DENY_DELETE, ROUTE, SERVER_V2 } from '../manifests.ts';
import type { LoadResult } from '../request-load.ts';
import type { PodInfo, Shop } from '../shop.ts';

const LABEL = 'gateway.networking.k8s.io/gateway-name=waypoint';
const V2: readonly string[] = ['-H', 'x-version: v2'];
const DELETE: readonly string[] = ['-X', 'DELETE'];
const FORBIDDEN = '403';
const REQUESTS = 400;

/** 40 of 400 are expected; more than five standard deviations away is no chance. */
const ninetyToTen: Bound<ReadonlyMap<string, number>> = {
  says: `v1 and v2 have ${REQUESTS} together, v2 between 10 and 70`,
  holds: (versions) => {
    const [v1 = 0, v2 = 0] = [versions.get('v1'), versions.get('v2')];
    return v1 + v2 === REQUESTS && v2 > 10 && v2 < 70;
  },
  shown: (versions) => `v1 ${versions.get('v1')}, v2 ${versions.get('v2')}`,
};

/** The account of the server as the client's node proxy sees it. */
async function calledIdentity(shop: Shop, waypoint: PodInfo): Promise<string> {
  const words = ['sa/client"', `dst.workload="${waypoint.name}"`];
  const line = await eventually(async () => (await shop.ztunnelLog('node-1', words)).at(-1));
  return /dst\.identity="([^"]*)"/.exec(line)?.[1] ?? line;
}

export function waypoint(): Chapter {
  let here: PodInfo;
  let unrouted: string;
  return {
    title: '5. A waypoint: routes, retries, L7 policy',
    says: 'A namespace that wants HTTP gets a proxy of its own; what leaves the namespace alone does not pay for it.',
    parts: [
      step(async (stage) => {
        // An L4 policy sees the waypoint as the caller from now on.
        await stage.kubectl('delete', 'authorizationpolicy', '-n', 'shop', 'only-client');
        const apply = ['waypoint', 'apply', '-n', 'shop', '--enroll-namespace', '--wait'];
        const { code, stderr } = await stage.aquifer(apply, 4);
        if (code !== 0) throw new Error(stderr);
        here = await stage.shop.pod(LABEL);
      }),
      claim(
        'the waypoint takes the requests of the namespace',
        ({ shop }) => eventually(async () => (await shop.echo('client')).remoteAddress === here.ip),
        is(true),
      ),
      claim(
        'the node proxies know it by its account',
        ({ shop }) => calledIdentity(shop, here),
        is('spiffe://cluster.local/ns/shop/sa/waypoint'),
      ),
      step(async (stage) => {
        const { shop } = stage;
        unrouted = await shop.status('client', '/?failOnce=without-route');
        await stage.applyFile('a second version of the server', SERVER_V2);
        await shop.rolledOut('shop', 'deploy/server-v2');
        await stage.apply(ROUTE);
        await eventually(async () => (await shop.versionsOf(20, V2)).get('v2') === 20);
      }),
      claim(
        `${REQUESTS} requests are split 90 to 10`,
        ({ shop }) => shop.versionsOf(REQUESTS),
        ninetyToTen,
      ),
      claim(
        'x-version: v2 goes to v2, 100 times of 100',
        async ({ shop }) => Object.fromEntries(await shop.versionsOf(100, V2)),
        is({ v2: 100 }),
      ),
      claim(
        "a backend that answers 503 once is hidden by the route's retry, and by nothing else",
        async ({ shop }) => ({
          without: unrouted,
          withRoute: await shop.status('client', '/?failOnce=with-route'),
        }),
        is({ without: '503', withRoute: '200' }),
      ),
      ...policy(),
      ...replaced(),
    ],
  };
}

function policy(): Chapter['parts'] {
  return [
    step(async (stage) => {
      await stage.apply(DENY_DELETE);
      const { shop } = stage;
      await eventually(async () => (await shop.status('client', '/items/1', DELETE)) === FORBIDDEN);
    }),
    claim(
      'DELETE /items/1 of the client is answered with 403',
      ({ shop }) => shop.body('client', '/items/1', DELETE),
      is('RBAC: access denied'),
    ),
    claim(
      'its GET is not, nor is DELETE of another account',
      async ({ shop }) => [
        await shop.status('client', '/items/1'),
        await shop.status('other', '/items/1', DELETE),
      ],
      is(['200', '200']),
    ),
  ];
}

function replaced(): Chapter['parts'] {
  let restart: LoadResult;
  let leave: LoadResult;
  return [
    step(async (stage) => {
      restart = await stage.shop.requestsWhile('client', () =>
        stage.replacePods('shop', 'deploy/waypoint', { label: LABEL, pods: 1 }),
      );
    }),
    claim('no request fails while the waypoint restarts', () => restart, nothingFailed),
    step(async (stage) => {
      const { shop } = stage;
      const client = await shop.pod('client');
      const label = (value: string) => stage.kubectl('label', 'namespace', 'shop', value);
      leave = await shop.requestsWhile('client', async () => {
        await label('istio.io/use-waypoint-');
        await eventually(async () => (await shop.echo('client')).remoteAddress === client.ip);
        await label('istio.io/use-waypoint=waypoint');
        await eventually(async () => (await shop.echo('client')).remoteAddress !== client.ip);
      });
    }),
    claim(
      'no request fails while the namespace leaves its waypoint and comes back',
      () => leave,
      nothingFailed,
    ),
  ];
}
