import { CLUSTER_TYPE, LISTENER_TYPE } from '@aquifer/wire';
import {
  ClustersConfigDumpSchema,
  ListenersConfigDumpSchema,
} from '@aquifer/wire/gen/envoy/admin/v3_pb';
import { ClientConfigSchema, ConfigStatus } from '@aquifer/wire/gen/envoy/service/status/v3_pb';
import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt';
import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import type { RunningControlPlane } from '../../fixtures/control-plane.ts';
import { CART, LISTENERS, NODE, startRecordedWaypoint } from '../../fixtures/recorded-waypoint.ts';

/** istioctl's debugging: over ADS from outside, over HTTP through a port-forward. */
const ISTIOCTL = (namespace: string) => ({
  id: `sidecar~127.0.0.1~istioctl.${namespace}~${namespace}.svc.cluster.local`,
  metadata: { GENERATOR: 'event', NAMESPACE: namespace },
});

/** With a waypoint that is connected, and has taken its listeners but not its clusters. */
async function start(): Promise<RunningControlPlane> {
  const { plane } = await startRecordedWaypoint();
  plane.api.tokens.set('admin', { username: 'system:serviceaccount:istio-system:reader' });
  plane.api.tokens.set('shop', { username: 'system:serviceaccount:shop:reader' });
  plane.api.tokens.set('other', { username: 'system:serviceaccount:other:reader' });
  const waypoint = plane.connect('wp');
  waypoint.send({ node: NODE, typeUrl: LISTENER_TYPE });
  const { nonce } = await waypoint.next();
  waypoint.send({ typeUrl: LISTENER_TYPE, responseNonce: nonce });
  waypoint.send({ typeUrl: CLUSTER_TYPE });
  await waypoint.next();
  return plane;
}

async function ask(
  plane: RunningControlPlane,
  who: { readonly token: string; readonly namespace: string },
  typeUrl: string,
  ...resourceNames: string[]
): Promise<Any[]> {
  const client = plane.connectForState(who.token);
  client.send({ node: ISTIOCTL(who.namespace), typeUrl, resourceNames });
  const response = await client.next();
  client.send({ typeUrl, responseNonce: response.nonce, versionInfo: response.versionInfo });
  await client.silence(100);
  expect(JSON.parse(response.controlPlane!.identifier)).toMatchObject({
    Component: 'istiod',
    ID: expect.stringMatching(/./),
  });
  return response.resources;
}

const ADMIN = { token: 'admin', namespace: 'istio-system' };
const SHOP = { token: 'shop', namespace: 'shop' };
const OTHER = { token: 'other', namespace: 'other' };

const get = (plane: RunningControlPlane, path: string) =>
  fetch(`http://127.0.0.1:${plane.app.ports.monitoring}${path}`);

test('istioctl proxy-status: what each proxy has taken, not those who only ask', async () => {
  const plane = await start();
  const resources = await ask(plane, ADMIN, 'istio.io/debug/syncz');
  const [config, ...others] = resources.map((any) => anyUnpack(any, ClientConfigSchema)!);
  expect(others).toEqual([]);
  expect(config!.node!.id).toBe(NODE.id);
  expect(
    config!.genericXdsConfigs.map(({ typeUrl, configStatus }) => [typeUrl, configStatus]),
  ).toEqual([
    [CLUSTER_TYPE, ConfigStatus.STALE],
    [LISTENER_TYPE, ConfigStatus.SYNCED],
  ]);
});

test('istioctl proxy-status POD: what the proxy is served, as Envoy dumps it', async () => {
  const plane = await start();
  const [clusters, listeners] = await ask(
    plane,
    ADMIN,
    'istio.io/debug/config_dump',
    'waypoint-0.shop',
  );
  const names = anyUnpack(listeners!, ListenersConfigDumpSchema)!.dynamicListeners;
  expect(names.map(({ name }) => name)).toEqual(LISTENERS);
  expect(anyUnpack(clusters!, ClustersConfigDumpSchema)!.dynamicActiveClusters.length).toBe(5);
});

test('a tenant sees the proxies of its own namespace', async () => {
  const plane = await start();
  expect(await ask(plane, SHOP, 'istio.io/debug/syncz')).toHaveLength(1);
  expect(await ask(plane, OTHER, 'istio.io/debug/syncz')).toEqual([]);
  await expect(
    ask(plane, OTHER, 'istio.io/debug/config_dump', 'waypoint-0.shop'),
  ).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
});

test('istioctl x internal-debug: any page, for accounts of the system namespace', async () => {
  const plane = await start();
  const [page] = await ask(plane, ADMIN, 'istio.io/debug', 'registryz');
  expect(page!.typeUrl).toBe('istio.io/debug');
  const services = JSON.parse(Buffer.from(page!.value).toString()) as { hostname: string }[];
  expect(services.map(({ hostname }) => hostname)).toContain('cart.shop.svc.cluster.local');
  await expect(ask(plane, SHOP, 'istio.io/debug', 'registryz')).rejects.toMatchObject({
    code: status.PERMISSION_DENIED,
  });
  const [dump] = await ask(plane, SHOP, 'istio.io/debug', 'edsz?proxyID=waypoint-0.shop');
  expect(Buffer.from(dump!.value).toString()).toContain(CART);
});

test('nobody debugs without a token, nor asks for several pages at once', async () => {
  const plane = await start();
  const plaintext = plane.connect(null);
  plaintext.send({ node: ISTIOCTL('istio-system'), typeUrl: 'istio.io/debug/syncz' });
  await expect(plaintext.next()).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
  await expect(ask(plane, ADMIN, 'istio.io/debug', 'mesh', 'configz')).rejects.toMatchObject({
    code: status.INVALID_ARGUMENT,
    details: 'exactly one debug request is required',
  });
});

test('every page of /debug/list is there over HTTP, on both ports', async () => {
  const plane = await start();
  const names = (await (await get(plane, '/debug/list')).json()) as string[];
  const needed = 'adsz ambientz authorizationz clusterz config_dump configz connections edsz';
  const more = 'endpointz instancesz mesh ndsz networkz registryz resourcesz syncz';
  expect(names).toEqual(expect.arrayContaining([...needed.split(' '), ...more.split(' ')]));
  for (const name of names) {
    const object = 'kind=Service&namespace=shop&name=cart';
    const answer = await get(plane, `/debug/${name}?proxyID=waypoint-0.shop&${object}`);
    expect([name, answer.status]).toEqual([name, 200]);
    await answer.json();
  }
  const { probe } = plane.app.ports;
  expect((await fetch(`http://127.0.0.1:${probe}/debug/syncz`)).status).toBe(200);
});

test('pages in the form that Kiali and people know', async () => {
  const plane = await start();
  const page = async (path: string): Promise<unknown> => (await get(plane, path)).json();
  expect(await page('/debug/syncz')).toEqual([
    expect.objectContaining({
      proxy: 'waypoint-0.shop',
      listener_sent: expect.stringMatching(/./),
      cluster_acked: '',
    }),
  ]);
  const dump = (await page('/debug/config_dump?proxyID=waypoint-0.shop')) as {
    configs: Record<string, unknown>[];
  };
  expect(dump.configs.map((config) => config['@type'])).toEqual([
    'type.googleapis.com/envoy.admin.v3.ClustersConfigDump',
    'type.googleapis.com/envoy.admin.v3.ListenersConfigDump',
  ]);
  expect(JSON.stringify(dump)).toContain('"virtualHosts"');
  const endpoints = (await page('/debug/endpointz')) as { svc: string; ep: unknown[] }[];
  const cart = endpoints.find(({ svc }) => svc.startsWith('cart.shop.svc.cluster.local:'));
  expect(cart!.ep.length).toBeGreaterThan(0);
});

test('what there is not is said, and slashes may be doubled', async () => {
  const plane = await start();
  expect((await get(plane, '/debug/nothing')).status).toBe(404);
  expect((await get(plane, '/debug/constructor')).status).toBe(404);
  expect((await get(plane, '/debug/config_dump')).status).toBe(400);
  expect((await get(plane, '/debug/config_dump?proxyID=a.b')).status).toBe(404);
  expect((await get(plane, '/debug/explain')).status).toBe(400);
  expect((await get(plane, '/debug/explain?kind=Service&namespace=a&name=b')).status).toBe(404);
  expect(await (await get(plane, '//version')).text()).toMatch(/^\d/);
});
