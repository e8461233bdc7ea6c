import { describe, expect, test } from 'vitest';
import type { Client } from '../../fixtures/derived-waypoint.ts';
import type { EchoOrigin } from '../../fixtures/echo-origin.ts';
import type { Asked } from '../../fixtures/http-asking.ts';
import { policyObject } from '../../fixtures/waypoint-process.ts';
import { type ServiceName, type Shop, startShop } from './shop.ts';

/** AuthorizationPolicies on Services and waypoints, from the object to what a client is told. */
type Asking = readonly [path: string, asked?: Asked & { to?: ServiceName; client?: Client }];

async function statuses(shop: Shop, asked: readonly Asking[]): Promise<number[]> {
  return Promise.all(asked.map(async ([path, how]) => (await shop.ask(path, how)).status));
}

const allow = (...rules: readonly object[]) => policyObject({ action: 'ALLOW', rules }, 'allow');
const deny = (...rules: readonly object[]) => policyObject({ action: 'DENY', rules }, 'deny');
const operation = (...operations: readonly object[]) => ({
  to: operations.map((one) => ({ operation: one })),
});
const source = (fields: object) => ({ from: [{ source: fields }] });
const when = (key: string, fields: object) => ({ when: [{ key, ...fields }] });

test('an ALLOW without rules allows nobody (L128), one whose only rule is empty everybody (L129)', async () => {
  const closed = await startShop([policyObject({})]);
  const { status, body } = await closed.ask('/');
  expect([status, body]).toEqual([403, 'RBAC: access denied']);
  expect(closed.origins.cart.seen).toEqual([]);
  const open = await startShop([policyObject({ rules: [{}] })]);
  expect((await open.ask('/')).status).toBe(200);
});

test('a path is allowed to the methods beside it (L130), a prefix with all that begins so (L132)', async () => {
  const shop = await startShop([
    allow(
      operation({ paths: ['/allowed'], methods: ['GET'] }),
      operation({ paths: ['/allowed-wildcard*'] }),
      operation({ paths: ['/posted'], methods: ['POST'] }),
    ),
  ]);
  expect(
    await statuses(shop, [
      ['/allowed'],
      ['/allowed?a=b'],
      ['/allowed', { method: 'POST' }],
      ['/posted', { method: 'POST' }],
      ['/posted'],
      ['/allowed-wildcardtest', { method: 'PUT' }],
      ['/allowed-wild'],
    ]),
  ).toEqual([200, 200, 403, 200, 403, 200, 403]);
});

test('a DENY counts before an ALLOW (L131)', async () => {
  const shop = await startShop([
    allow(operation({ methods: ['POST'] })),
    deny(operation({ paths: ['/explicit-deny'] })),
  ]);
  expect(
    await statuses(shop, [
      ['/explicit-deny', { method: 'POST' }],
      ['/else', { method: 'POST' }],
      ['/else'],
    ]),
  ).toEqual([403, 200, 403]);
});

test('a header is allowed by what it is (L141), or by what it is not (L133, L142)', async () => {
  const has = await startShop([allow(when('request.headers[x-foo]', { values: ['foo'] }))]);
  const lacks = await startShop([allow(when('request.headers[x-foo]', { notValues: ['bar'] }))]);
  const asked: Asking[] = [
    ['/', { headers: { 'x-foo': 'foo' } }],
    ['/', { headers: { 'X-Foo': 'bar' } }],
    ['/'],
  ];
  expect(await statuses(has, asked)).toEqual([200, 403, 403]);
  expect(await statuses(lacks, asked)).toEqual([200, 403, 200]);
});

test('an identity that no rule names is refused (L134)', async () => {
  const shop = await startShop([
    allow(source({ principals: ['cluster.local/ns/shop/sa/someone-else'] })),
  ]);
  expect(await statuses(shop, [['/'], ['/', { client: { account: 'someone-else' } }]])).toEqual([
    403, 200,
  ]);
});

test('a policy on a Service is for no other Service (L135)', async () => {
  const shop = await startShop([deny(source({ principals: ['cluster.local/ns/shop/sa/client'] }))]);
  expect(
    await statuses(shop, [['/'], ['/', { to: 'v1' }], ['/', { client: { account: 'other' } }]]),
  ).toEqual([403, 200, 200]);
});

test('a policy of the root namespace on the class is for every waypoint (L136)', async () => {
  const group = 'gateway.networking.k8s.io';
  const targetRefs = [{ group, kind: 'GatewayClass', name: 'istio-waypoint' }];
  const policy = (namespace: string) => {
    const made = policyObject({ targetRefs });
    return { ...made, metadata: { ...made.metadata, namespace } };
  };
  const closed = await startShop([policy('istio-system')]);
  expect(await statuses(closed, [['/'], ['/', { to: 'v1' }]])).toEqual([403, 403]);
  const elsewhere = await startShop([policy('shop')]);
  expect(await statuses(elsewhere, [['/']])).toEqual([200]);
});

test('a policy holds at a waypoint by what it is attached to, and not by a selector (P138b)', async () => {
  const group = 'gateway.networking.k8s.io';
  const status = async (spec: object) => {
    const shop = await startShop([policyObject({ action: 'DENY', rules: [{}], ...spec })]);
    return (await shop.ask('/')).status;
  };
  const to = (kind: string, name: string, of = group) => ({
    targetRefs: [{ group: of, kind, name }],
  });
  expect(await status({ targetRefs: undefined })).toBe(200);
  expect(await status({ targetRefs: undefined, selector: { matchLabels: { app: 'cart' } } })).toBe(
    200,
  );
  expect(await status(to('Service', 'cart', ''))).toBe(403);
  expect(await status(to('Service', 'v1', ''))).toBe(200);
  expect(await status(to('Gateway', 'waypoint'))).toBe(403);
  expect(await status(to('Gateway', 'other'))).toBe(200);
  const targetRef = { group, kind: 'Gateway', name: 'waypoint' };
  expect(await status({ targetRefs: undefined, targetRef })).toBe(403);
});

const asking = (name: string, path: string) =>
  policyObject(
    { action: 'CUSTOM', provider: { name }, rules: [operation({ paths: [path] })] },
    `ask-${name}`,
  );

test('two servers are both asked (L190), beside one that nobody knows (L147)', async () => {
  const provider = (name: string, of: string) => ({
    name,
    envoyExtAuthzHttp: { service: `shop/${of}.shop.svc.cluster.local`, port: 80 },
  });
  const mesh = { extensionProviders: [provider('one', 'v1'), provider('two', 'v2')] };
  const shop = await startShop([
    {
      apiVersion: 'v1',
      kind: 'MeshConfigMap',
      metadata: { namespace: 'istio-system', name: 'istio', uid: 'mesh' },
      data: { mesh: JSON.stringify(mesh) },
    },
    asking('one', '/api/*'),
    asking('two', '/api/admin*'),
    asking('three', '/secret'),
  ]);
  const { v1, v2, cart } = shop.origins;
  v2.turns.push({}, { status: 401 });
  const inTurn: number[] = [];
  for (const path of ['/api/admin', '/api/x', '/else', '/secret', '/api/admin/2']) {
    inTurn.push((await shop.ask(path)).status);
  }
  expect(inTurn).toEqual([200, 200, 200, 403, 401]);
  const paths = ({ seen }: EchoOrigin) => seen.map(({ path }) => path);
  expect(paths(v1)).toEqual(['/api/admin', '/api/x', '/api/admin/2']);
  expect(paths(v2)).toEqual(['/api/admin', '/api/admin/2']);
  expect(paths(cart)).toEqual(['/api/admin', '/api/x', '/else']);
});

test('what two servers are to be asked about that nobody knows is denied, and nothing else (L191)', async () => {
  const shop = await startShop([asking('one', '/api/*'), asking('two', '/api/admin')]);
  expect(await statuses(shop, [['/api/admin'], ['/api/x'], ['/else']])).toEqual([403, 403, 200]);
});

test('a path is judged as it is when its dots are resolved (L137)', async () => {
  const shop = await startShop([allow(operation({ paths: ['/public', '/public/*'] }))]);
  expect(
    await statuses(shop, [
      ['/public'],
      ['/public/a'],
      ['/public/../private'],
      ['/public/%2E%2E/private'],
      ['/private/../public'],
    ]),
  ).toEqual([200, 200, 403, 403, 200]);
});

describe('a template', () => {
  test.for<[template: string, allowed: readonly string[], refused: readonly string[]]>([
    [
      '/allow/admin/{**} (L138)',
      ['/allow/admin/', '/allow/admin/a/b', '/allow/admin/?p=v'],
      ['/allow/admin', '/allow/admin?p=v'],
    ],
    [
      '/store/{**}/cart (L139)',
      ['/store//cart', '/store/a/cart', '/store/a/b/cart'],
      ['/store/cart', '/store/a/cart/b'],
    ],
    [
      '/foo/{*}/bar/{**} (L140)',
      ['/foo/buzz/bar/bat', '/foo/buzz/bar/'],
      ['/foo//bar/x', '/foo/buzz/bar', '/foo/a/b/bar/x'],
    ],
  ])('%s allows the paths of its form', async ([titled, allowed, refused]) => {
    const [template = ''] = titled.split(' ');
    const shop = await startShop([allow(operation({ paths: [template] }))]);
    const asked = (paths: readonly string[]) => paths.map((path): Asking => [path]);
    expect(await statuses(shop, asked(allowed))).toEqual(allowed.map(() => 200));
    expect(await statuses(shop, asked(refused))).toEqual(refused.map(() => 403));
  });
});

test.for<[condition: string, fields: object, expected: readonly number[]]>([
  ['source.ip', { values: ['10.244.1.0/24'] }, [200, 403]],
  ['source.ip', { notValues: ['10.244.1.0/24'] }, [403, 200]],
  ['source.namespace', { values: ['shop'] }, [200, 403]],
  ['source.principal', { values: ['cluster.local/ns/shop/sa/client'] }, [200, 403]],
  ['destination.port', { values: ['80'] }, [200, 200]],
  ['destination.port', { values: ['8080'] }, [403, 403]],
  // Inside a tunnel there is none, so that nobody has the one that is asked for.
  ['connection.sni', { values: ['cart.shop'] }, [403, 403]],
])('with %s %o a client and a stranger get %o (L143)', async ([key, fields, expected]) => {
  const shop = await startShop([allow(when(key, fields))]);
  const stranger = { account: 'client', namespace: 'far', ip: '10.244.9.9' };
  expect(
    await statuses(shop, [
      ['/', { client: { ip: '10.244.1.7' } }],
      ['/', { client: stranger }],
    ]),
  ).toEqual(expected);
});
