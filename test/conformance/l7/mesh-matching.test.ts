import { expect, onTestFinished, test } from 'vitest';
import { routeObject, serveDerived, serviceOf } from '../../fixtures/derived-waypoint.ts';
import { startOrigin } from '../../fixtures/echo-origin.ts';
import { call, connectGrpc, startGrpcServer } from '../../fixtures/grpc-echo.ts';
import { ask, askHttp2 } from '../../fixtures/http-asking.ts';
import { backend, type Shop, startShop, VIPS } from './shop.ts';

/** Which rule of an HTTPRoute or GRPCRoute takes a request, from the object to the origin that answers. */
const prefix = (value: string) => ({ path: { type: 'PathPrefix', value } });
const exact = (value: string) => ({ path: { type: 'Exact', value } });
const header = (name: string, value: string) => ({ name, value });

interface Asking {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What answers each, where it answers something else than expected. */
async function wrong(shop: Shop, asked: readonly (readonly [Asking, string | number])[]) {
  const found = await Promise.all(
    asked.map(async ([{ path, ...rest }, expected]) => {
      const answers = await shop.answers(path, rest);
      return answers === expected ? [] : [`${path}: ${answers}, not ${expected}`];
    }),
  );
  return found.flat();
}

test('an exact path is that path and no other (L061)', async () => {
  const shop = await startShop([
    routeObject('HTTPRoute', [{ matches: [exact('/one')], ...backend('v1') }]),
  ]);
  const asked = ['/one', '/one?a=b', '/One', '/one/', '/one/two', '/'];
  const answers = await Promise.all(asked.map((path) => shop.answers(path)));
  expect(answers).toEqual(['v1', 'v1', 404, 404, 404, 404]);
});

test('a prefix is whole segments (L062), with a slash behind it or without (L063)', async () => {
  const shop = await startShop([
    routeObject('HTTPRoute', [
      { matches: [prefix('/v2')], ...backend('v2') },
      { matches: [prefix('/')], ...backend('v1') },
    ]),
  ]);
  const asked = ['/v2', '/v2/', '/v2/example', '/v2example', '/'];
  const answers = await Promise.all(asked.map((path) => shop.answers(path)));
  expect(answers).toEqual(['v2', 'v2', 'v2', 'v1', 'v1']);
});

test('headers choose, more of them before fewer, and of equals the first rule (L064)', async () => {
  const shop = await startShop([
    routeObject('HTTPRoute', [
      { matches: [{ headers: [header('version', 'one')] }], ...backend('v1') },
      { matches: [{ headers: [header('version', 'two')] }], ...backend('v2') },
      {
        matches: [{ headers: [header('Version', 'two'), header('color', 'orange')] }],
        ...backend('v1'),
      },
      {
        matches: [{ headers: [header('color', 'blue')] }, { headers: [header('color', 'green')] }],
        ...backend('v1'),
      },
      { matches: [{ headers: [header('color', 'red')] }], ...backend('v2') },
    ]),
  ]);
  const of = (headers: Record<string, string>) => ({ path: '/', headers });
  expect(
    await wrong(shop, [
      [of({ version: 'one' }), 'v1'],
      [of({ VERSION: 'two' }), 'v2'],
      [of({ version: 'two', color: 'orange' }), 'v1'],
      [of({ version: 'two', color: 'blue' }), 'v2'],
      [of({ color: 'green' }), 'v1'],
      [of({ color: 'red' }), 'v2'],
      [of({ color: 'purple' }), 404],
      [of({ version: 'TWO' }), 404],
      [of({}), 404],
    ]),
  ).toEqual([]);
});

test('the more exact path comes first, wherever its rule stands (L065)', async () => {
  const shop = await startShop([
    routeObject('HTTPRoute', [
      { matches: [prefix('/match')], ...backend('v1') },
      { matches: [exact('/match')], ...backend('v3') },
      { matches: [prefix('/match/prefix/one/any')], ...backend('v2') },
      { matches: [exact('/match/exact/one')], ...backend('v3') },
      { matches: [exact('/match/exact')], ...backend('v2') },
      { matches: [prefix('/match/prefix')], ...backend('v3') },
    ]),
  ]);
  expect(
    await wrong(shop, [
      [{ path: '/match' }, 'v3'],
      [{ path: '/match/' }, 'v1'],
      [{ path: '/match/exact' }, 'v2'],
      [{ path: '/match/exact/one' }, 'v3'],
      [{ path: '/match/exact/two' }, 'v1'],
      [{ path: '/match/prefix' }, 'v3'],
      [{ path: '/match/prefix/one' }, 'v3'],
      [{ path: '/match/prefix/one/any/thing' }, 'v2'],
    ]),
  ).toEqual([]);
});

test('a path comes before a method, a method before headers, headers before a query (L066, L067, L068)', async () => {
  const animal = { queryParams: [{ name: 'animal', value: 'hydra' }] };
  const four = { headers: [header('version', 'four')] };
  const shop = await startShop([
    routeObject('HTTPRoute', [
      { matches: [animal], ...backend('v1') },
      { matches: [prefix('/path5')], ...backend('v2') },
      { matches: [four], ...backend('v3') },
      { matches: [{ ...prefix('/path6'), method: 'PATCH' }], ...backend('v1') },
      { matches: [{ ...prefix('/path6'), ...four }], ...backend('v3') },
    ]),
  ]);
  const headers = { version: 'four' };
  expect(
    await wrong(shop, [
      [{ path: '/?animal=hydra' }, 'v1'],
      [{ path: '/?Animal=hydra' }, 404],
      [{ path: '/?animal=whale&animal=hydra' }, 404],
      [{ path: '/path5?animal=hydra' }, 'v2'],
      [{ path: '/?animal=hydra', headers }, 'v3'],
      [{ path: '/path6', method: 'PATCH', headers }, 'v1'],
      [{ path: '/path6', method: 'POST', headers }, 'v3'],
      [{ path: '/', method: 'HEAD' }, 404],
    ]),
  ).toEqual([]);
});

const MARK = {
  type: 'RequestHeaderModifier',
  requestHeaderModifier: { set: [{ name: 'x-routed', value: 'yes' }] },
};
const MARKED = { filters: [MARK], ...backend('cart') };

test('a route of a Service holds for requests to its address, whatever host they name (L117)', async () => {
  const shop = await startShop([routeObject('HTTPRoute', [MARKED])]);
  const routed = async (host: string) => (await shop.ask('/', { host })).seen?.headers['x-routed'];
  expect(await routed('v2')).toEqual(['yes']);
  expect(await routed('else.test')).toEqual(['yes']);
  expect(
    (await shop.ask('/', { to: 'v1', host: 'cart' })).seen?.headers['x-routed'],
  ).toBeUndefined();
});

test('a route that names a port leaves the other ports alone (L118)', async () => {
  const shop = await startShop([routeObject('HTTPRoute', [MARKED], { parent: { port: 80 } })]);
  const routed = async (port: number) => (await shop.ask('/', { port })).seen?.headers['x-routed'];
  expect(await routed(80)).toEqual(['yes']);
  expect(await routed(8080)).toBeUndefined();
});

test('a route of a Service is not for connections to its pods (L116)', async () => {
  const origin = await startOrigin('cart', { ip: '127.0.0.81' });
  const { ip, port } = origin;
  const objects = [...serviceOf('cart', VIPS.cart, origin), routeObject('HTTPRoute', [MARKED])];
  const waypoint = serveDerived(objects, 'all');
  const routed = async (destination: { readonly ip: string; readonly port: number }) =>
    (await ask(await waypoint.portTo(destination), '/')).seen?.headers['x-routed'];
  expect(await routed({ ip: VIPS.cart, port: 80 })).toEqual(['yes']);
  expect(await routed({ ip, port })).toBeUndefined();
  expect(origin.seen).toHaveLength(2);
});

const GRPC_PORTS = [{ port: 80, name: 'grpc' }];
const hello = [Buffer.from('hello')];

test('a call that no rule of a GRPCRoute takes is unimplemented (L113)', async () => {
  const server = await startGrpcServer();
  onTestFinished(() => server.stop());
  const origin = { ip: '127.0.0.1', port: server.port };
  const method = { service: 'shop.Cart', method: 'Unary' };
  const waypoint = serveDerived([
    ...serviceOf('cart', VIPS.cart, origin, GRPC_PORTS),
    routeObject('GRPCRoute', [{ matches: [{ method }], ...backend('cart') }]),
  ]);
  const client = connectGrpc(await waypoint.portTo({ ip: VIPS.cart, port: 80 }));
  onTestFinished(() => client.close());
  expect((await call(client, 'unary', hello)).code).toBe(0);
  expect((await call(client, 'upload', hello)).code).toBe(12);
});

test('an HTTPRoute and a GRPCRoute of one port are both served (L126)', async () => {
  const server = await startGrpcServer();
  onTestFinished(() => server.stop());
  const web = await startOrigin('web', { ip: '127.0.0.82' });
  const waypoint = serveDerived([
    ...serviceOf('cart', VIPS.cart, { ip: '127.0.0.1', port: server.port }, GRPC_PORTS),
    ...serviceOf('web', VIPS.v1, web),
    routeObject('HTTPRoute', [{ matches: [prefix('/http')], ...backend('web') }]),
    routeObject(
      'GRPCRoute',
      [{ matches: [{ method: { service: 'shop.Cart' } }], ...backend('cart') }],
      {
        name: 'calls',
      },
    ),
  ]);
  const at = await waypoint.portTo({ ip: VIPS.cart, port: 80 });
  const client = connectGrpc(at);
  onTestFinished(() => client.close());
  expect((await askHttp2(at, '/http')).seen?.origin).toBe('web');
  expect((await call(client, 'unary', hello)).code).toBe(0);
  expect((await askHttp2(at, '/else')).status).toBe(404);
});
