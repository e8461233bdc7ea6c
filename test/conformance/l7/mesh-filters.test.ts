import { describe, expect, test } from 'vitest';
import { routeObject } from '../../fixtures/derived-waypoint.ts';
import { eventually } from '../../fixtures/eventually.ts';
import { backend, startShop } from './shop.ts';

/** What the filters of HTTPRoutes change of requests and answers, from the object to the origin and back. */
const changeRequest = (requestHeaderModifier: object) => ({
  type: 'RequestHeaderModifier',
  requestHeaderModifier,
});
const rewrite = (urlRewrite: object) => ({ type: 'URLRewrite', urlRewrite });
const mirror = (name: string, share: object = {}) => ({
  type: 'RequestMirror',
  requestMirror: { backendRef: { name, port: 80 }, ...share },
});
const header = (name: string, value: string) => ({ name, value });
const prefix = (value: string) => ({ path: { type: 'PathPrefix', value } });

describe('a rewrite', () => {
  test.for([
    ['/', '/strip-prefix', '/'],
    ['/', '/strip-prefix/three', '/three'],
    ['/', '/strip-prefix/three?a=/strip-prefix', '/three?a=/strip-prefix'],
    ['/one', '/strip-prefix/two', '/one/two'],
    ['/one/', '/strip-prefix', '/one'],
  ] as const)('of the prefix to %s makes %s %s (L079)', async ([to, asked, expected]) => {
    const path = { type: 'ReplacePrefixMatch', replacePrefixMatch: to };
    const shop = await startShop([
      routeObject('HTTPRoute', [
        { matches: [prefix('/strip-prefix')], filters: [rewrite({ path })], ...backend('v1') },
      ]),
    ]);
    expect((await shop.ask(asked)).seen?.path).toBe(expected);
  });

  test('of the whole path leaves the query, beside headers that are added, set and removed (L080)', async () => {
    const path = { type: 'ReplaceFullPath', replaceFullPath: '/one' };
    const filters = [
      rewrite({ path }),
      changeRequest({
        add: [header('X-Header-Add', 'header-val-1'), header('X-Header-Add-Append', 'val-2')],
        set: [header('X-Header-Set', 'set-overwrites-values')],
        remove: ['X-Header-Remove'],
      }),
    ];
    const shop = await startShop([routeObject('HTTPRoute', [{ filters, ...backend('v1') }])]);
    const { seen } = await shop.ask('/full/rewrite?a=b', {
      headers: {
        'X-Header-Add-Append': 'val-1',
        'X-Header-Set': 'some-other-value',
        'X-Header-Remove': 'val',
      },
    });
    expect(seen?.path).toBe('/one?a=b');
    expect(seen?.headers).toMatchObject({
      'x-header-add': ['header-val-1'],
      'x-header-add-append': ['val-1', 'val-2'],
      'x-header-set': ['set-overwrites-values'],
    });
    expect(seen?.headers).not.toHaveProperty('x-header-remove');
  });

  test('of the host reaches the backend (L081)', async () => {
    const filters = [rewrite({ hostname: 'one.example.org' })];
    const shop = await startShop([routeObject('HTTPRoute', [{ filters, ...backend('v1') }])]);
    expect((await shop.ask('/', { host: 'rewrite.example' })).seen?.host).toBe('one.example.org');
  });
});

describe('a host that is set as a header', () => {
  const host = (value: string) => [changeRequest({ set: [header('Host', value)] })];

  test('by the rule counts before that of its backend (L011)', async () => {
    const shop = await startShop([
      routeObject('HTTPRoute', [
        { filters: host('rule.test'), ...backend('v1', { filters: host('backend.test') }) },
      ]),
    ]);
    expect((await shop.ask('/')).seen?.host).toBe('rule.test');
  });

  test('by each of two backends reaches either (L012)', async () => {
    const one = (name: string) => ({ name, port: 80, filters: host('backend.test') });
    const shop = await startShop([
      routeObject('HTTPRoute', [{ backendRefs: [one('v1'), one('v2')] }]),
    ]);
    const answers = await Promise.all(Array.from({ length: 40 }, () => shop.ask('/')));
    expect(new Set(answers.map(({ seen }) => seen?.origin))).toEqual(new Set(['v1', 'v2']));
    expect(new Set(answers.map(({ seen }) => seen?.host))).toEqual(new Set(['backend.test']));
  });
});

test('headers of an answer are set, added and removed (L082)', async () => {
  const responseHeaderModifier = {
    set: [header('X-Of-Origin', 'no')],
    add: [header('x-added', 'one')],
    remove: ['X-Origin-Secret'],
  };
  const filters = [{ type: 'ResponseHeaderModifier', responseHeaderModifier }];
  const shop = await startShop([routeObject('HTTPRoute', [{ filters, ...backend('v1') }])]);
  shop.origins.v1.turns.push({ headers: { 'x-origin-secret': 'hush' } });
  const { headers, status } = await shop.ask('/');
  expect(status).toBe(200);
  expect(headers).toMatchObject({ 'x-of-origin': 'no', 'x-added': 'one' });
  expect(headers).not.toHaveProperty('x-origin-secret');
});

/** Five times the standard deviation, which one run of millions leaves. */
function isAbout(count: number, of: number, share: number): boolean {
  return Math.abs(count - of * share) <= 5 * Math.sqrt(of * share * (1 - share));
}

test('requests go to backends by weight, and to one without weight never (L083)', async () => {
  const backendRefs = [
    { name: 'v1', port: 80, weight: 70 },
    { name: 'v2', port: 80, weight: 30 },
    { name: 'v3', port: 80, weight: 0 },
  ];
  const shop = await startShop([routeObject('HTTPRoute', [{ backendRefs }])]);
  const counts: Record<string, number> = {};
  for (let i = 0; i < 500; i++) {
    const name = await shop.answers('/');
    counts[name] = (counts[name] ?? 0) + 1;
  }
  expect(isAbout(counts.v1 ?? 0, 500, 0.7)).toBe(true);
  expect(counts).toEqual({ v1: counts.v1, v2: 500 - (counts.v1 ?? 0) });
});

test('each of two backends sees the header that is set for it (L106)', async () => {
  const one = (name: string) => ({
    name,
    port: 80,
    filters: [changeRequest({ set: [header('X-Backend', name)] })],
  });
  const shop = await startShop([
    routeObject('HTTPRoute', [{ backendRefs: [one('v1'), one('v2')] }]),
  ]);
  for (let i = 0; i < 40; i++) {
    const { seen } = await shop.ask('/');
    expect(seen?.headers['x-backend']).toEqual([seen?.origin]);
  }
  expect(shop.origins.v1.seen.length).toBeGreaterThan(0);
  expect(shop.origins.v2.seen.length).toBeGreaterThan(0);
});

describe('a mirror', () => {
  test('gets a copy, as the rule changes it, and its answer reaches nobody (L088)', async () => {
    const filters = [mirror('v2'), changeRequest({ set: [header('x-set', '1')] })];
    const shop = await startShop([routeObject('HTTPRoute', [{ filters, ...backend('v1') }])]);
    shop.origins.v2.turns.push({ status: 500, delayMs: 200 });
    const answer = await shop.ask('/mirror', { method: 'POST', body: 'hello' });
    expect([answer.status, answer.seen?.origin]).toEqual([200, 'v1']);
    await eventually(() => shop.origins.v2.seen.length === 1, { what: 'the copy' });
    expect(shop.origins.v2.seen[0]).toMatchObject({
      path: '/mirror',
      method: 'POST',
      host: 'shop.test',
      body: 'hello',
      headers: { 'x-set': ['1'] },
    });
  });

  test.for([
    ['20 percent', { percent: 20 }, 0.2],
    ['25 of 50', { fraction: { numerator: 25, denominator: 50 } }, 0.5],
  ] as const)('of %s gets about so many copies (L089)', async ([, share, expected]) => {
    const filters = [mirror('v2', share)];
    const shop = await startShop([routeObject('HTTPRoute', [{ filters, ...backend('v1') }])]);
    for (let i = 0; i < 300; i++) expect(await shop.answers('/')).toBe('v1');
    const last = shop.origins.v2;
    await eventually(() => isAbout(last.seen.length, 300, expected), { what: 'the copies' });
    expect(isAbout(last.seen.length, 300, expected)).toBe(true);
  });
});
