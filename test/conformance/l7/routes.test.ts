import { describe, expect, test } from 'vitest';
import { filterConfig, ROUTED_FILTERS, serveEngine, toOrigin } from './engine.ts';

/** Routes as a VirtualService asks for them, in the Envoy configuration that it becomes. */

describe('a redirect', () => {
  test.for<[what: string, redirect: object, host: string, location: string]>([
    [
      'of the path keeps the query (L001)',
      { path_redirect: '/new/path' },
      'b',
      'http://b/new/path?key=value',
    ],
    [
      'to https names the port it came to (L002)',
      { scheme_redirect: 'https', port_redirect: 80 },
      'b',
      'https://b:80/foo/bar?key=value',
    ],
    ['names no port that the client did not (L003)', {}, 'b', 'http://b/foo/bar?key=value'],
    ['keeps the port of the client (L004)', {}, 'b:80', 'http://b:80/foo/bar?key=value'],
    [
      'names another port than 80 (L005)',
      { port_redirect: 85 },
      'b',
      'http://b:85/foo/bar?key=value',
    ],
    ['names it once (L005)', { port_redirect: 85 }, 'b:85', 'http://b:85/foo/bar?key=value'],
    ['replaces the prefix (L006)', { prefix_rewrite: '/new/' }, 'b', 'http://b/new/bar?key=value'],
  ])('%s', async ([, redirect, host, location]) => {
    const { ask } = await serveEngine({ routes: [{ match: { prefix: '/foo/' }, redirect }] });
    const { status, headers, body } = await ask('/foo/bar?key=value', { host });
    expect([status, headers.location, body]).toEqual([301, location, '']);
  });
});

const header = (name: string, match: object) => ({ prefix: '/', headers: [{ name, ...match }] });

test('a header of any name is matched (L007)', async () => {
  const name = "x-o!#$%&'*+.^_`|~dd";
  const { ask } = await serveEngine({
    routes: [toOrigin({}, header(name, { string_match: { exact: 'foo' } }))],
  });
  expect((await ask('/', { headers: { [name]: 'foo' } })).status).toBe(200);
  expect((await ask('/')).status).toBe(404);
});

test('the method is matched as a header (L008)', async () => {
  const { ask } = await serveEngine({
    routes: [toOrigin({}, header(':method', { string_match: { exact: 'GET' } }))],
  });
  expect((await ask('/')).status).toBe(200);
  expect((await ask('/', { method: 'POST' })).status).toBe(404);
});

test('a rewritten path keeps its query, and no fragment (L009)', async () => {
  const { askRaw, origin } = await serveEngine({
    routes: [toOrigin({ prefix_rewrite: '/new/path' }, { path: '/foo' })],
  });
  await askRaw('GET /foo?key=value#hash HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n');
  expect(origin.seen.map(({ path }) => path)).toEqual(['/new/path?key=value']);
});

test('a rewritten host is the one that reaches the origin (L010)', async () => {
  const { ask } = await serveEngine({
    routes: [toOrigin({ host_rewrite_literal: 'new-authority' })],
  });
  expect((await ask('/')).seen?.host).toBe('new-authority');
});

test('headers are added (L013), and set whatever the client said (L014)', async () => {
  const option = (key: string, value: string, append_action: string) => ({
    header: { key, value },
    append_action,
  });
  const { ask } = await serveEngine({
    routes: [
      {
        ...toOrigin(),
        request_headers_to_add: [
          option('istio-custom-header', 'user-defined-value', 'APPEND_IF_EXISTS_OR_ADD'),
          option('x-custom', 'new-value', 'OVERWRITE_IF_EXISTS_OR_ADD'),
        ],
      },
    ],
  });
  const { seen } = await ask('/', { headers: { 'x-custom': ['old', 'older'] } });
  expect(seen?.headers['istio-custom-header']).toEqual(['user-defined-value']);
  expect(seen?.headers['x-custom']).toEqual(['new-value']);
});

test('behind a route for everything no other is reached (L015)', async () => {
  const direct = (body: string) => ({
    direct_response: { status: 200, body: { inline_string: body } },
  });
  const { ask } = await serveEngine({
    routes: [
      { match: { safe_regex: { regex: '.*' } }, ...direct('first') },
      { match: { path: '/foo' }, ...direct('second') },
    ],
  });
  expect((await ask('/foo')).body).toBe('first');
});

describe('a route for who does not send', () => {
  const refusing = filterConfig('fault', 'fault.v3.HTTPFault', {
    abort: { http_status: 403, percentage: { numerator: 100 } },
  });
  const ofLacking = (match: object) =>
    serveEngine({
      routes: [
        { ...toOrigin({}, header('end-user', { ...match, invert_match: true })), ...refusing },
        toOrigin(),
      ],
      manager: { http_filters: ROUTED_FILTERS },
    });
  const asked = [{ 'end-user': 'jason' }, { 'end-user': 'else' }, { 'end-user': '' }, {}];

  test.for<[what: string, match: object, statuses: readonly number[]]>([
    [
      'one value of a header (L016)',
      { string_match: { exact: 'jason' }, treat_missing_header_as_empty: true },
      [200, 403, 403, 403],
    ],
    ['a header at all (L017)', { present_match: true }, [200, 200, 200, 403]],
    [
      'any value of a header, which the empty one is, too (L018)',
      { string_match: { safe_regex: { regex: '.*' } }, treat_missing_header_as_empty: true },
      [200, 200, 200, 200],
    ],
  ])('%s', async ([, match, statuses]) => {
    const { ask } = await ofLacking(match);
    const answers = await Promise.all(asked.map((headers) => ask('/', { headers })));
    expect(answers.map(({ status }) => status)).toEqual(statuses);
  });
});

test('a host that no route is for is answered 404, without a body (L025)', async () => {
  const { ask, engine } = await serveEngine({ routes: [toOrigin()], domains: ['a.example.com'] });
  const { status, body } = await ask('/', { host: 'b.example.com' });
  expect([status, body]).toEqual([404, '']);
  expect(engine.lines).toEqual(['404 NR route_not_found\n']);
});

test('a wildcard takes every host below it, whatever port it names (L026)', async () => {
  const { ask } = await serveEngine({ routes: [toOrigin()], domains: ['*.example.com'] });
  const hosts = ['foo.example.com', 'foo.example.com:80', 'a.b.example.com:12345', 'example.com'];
  const answers = await Promise.all(hosts.map((host) => ask('/', { host })));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 404]);
});

test('a direct response is what the route says (L048)', async () => {
  const { ask, engine } = await serveEngine({
    routes: [
      {
        match: { prefix: '/' },
        direct_response: { status: 418, body: { inline_string: 'teapot' } },
      },
    ],
  });
  const { status, body, headers } = await ask('/');
  expect([status, body, headers['content-type']]).toEqual([418, 'teapot', 'text/plain']);
  expect(engine.lines).toEqual(['418 - direct_response\n']);
});

test.for([
  [50, 25, 25],
  [80, 10, 10],
])('weights %i, %i and %i share requests so (L019)', async (weights) => {
  const names = ['a', 'b', 'c'];
  const clusters = names.map((name, i) => ({
    name: 'origin',
    weight: weights[i],
    request_headers_to_add: [{ header: { key: 'x-backend', value: name } }],
  }));
  const { ask, origin } = await serveEngine({
    routes: [{ match: { prefix: '/' }, route: { timeout: '0s', weighted_clusters: { clusters } } }],
  });
  const requests = 600;
  for (let i = 0; i < requests; i++) await ask('/');
  for (const [i, name] of names.entries()) {
    const share = weights[i]! / 100;
    const count = origin.seen.filter(({ headers }) => headers['x-backend']?.[0] === name).length;
    const deviation = Math.sqrt(requests * share * (1 - share));
    expect(Math.abs(count - requests * share)).toBeLessThan(5 * deviation);
  }
});
