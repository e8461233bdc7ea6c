import { RouteConfigurationSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { compileRetryPolicy } from './retry-policy.ts';
import { compileRoutes } from './route.ts';
import type { MatchInput } from './string-match.ts';

function routes(virtualHosts: JsonValue) {
  return compileRoutes(fromJson(RouteConfigurationSchema, { name: 'r', virtualHosts }));
}

function request(path: string, authority = 'shop.test'): MatchInput {
  return { method: 'GET', authority, path, header: () => null, query: () => null };
}

const to = (cluster: string) => ({ route: { cluster } });

test('the first route that matches wins', () => {
  const table = routes([
    {
      name: 'v',
      domains: ['*'],
      routes: [
        { name: 'exact', match: { path: '/a' }, ...to('c') },
        { name: 'segments', match: { pathSeparatedPrefix: '/a' }, ...to('c') },
        { name: 'rest', match: { prefix: '/' }, ...to('c') },
      ],
    },
  ]);
  expect(['/a', '/a/b', '/ab'].map((path) => table.find(request(path))?.name)).toEqual([
    'exact',
    'segments',
    'rest',
  ]);
});

test('the most specific virtual host answers, whatever its place', () => {
  const host = (name: string, domain: string) => ({
    name,
    domains: [domain],
    routes: [{ name, match: { prefix: '/' }, ...to('c') }],
  });
  const table = routes([
    host('any', '*'),
    host('suffix', '*.test'),
    host('longer', '*.shop.test'),
    host('exact', 'a.shop.test'),
  ]);
  const found = ['A.shop.test', 'b.shop.test', 'b.test', 'other'].map(
    (name) => table.find(request('/', name))?.name,
  );
  expect(found).toEqual(['exact', 'longer', 'suffix', 'any']);
});

test('a route that cannot be served names the field', () => {
  const regexRewrite = { pattern: { regex: '(' }, substitution: 'x' };
  const withRegex = { match: { prefix: '/' }, route: { cluster: 'c', regexRewrite } };
  expect(() => routes([{ name: 'v', domains: ['*'], routes: [withRegex] }])).toThrow(
    'virtual_hosts[0].routes[0].route.regex_rewrite: "(" is no RE2 expression',
  );
});

test.for([
  ['/old/a?b=/old/', '^/old(/?)(.*)', '/\\2', '/a?b=/old/'],
  ['/price', 'price', '$1', '/$1'],
  ['/aXa', 'a', 'b', '/bXb'],
] as const)('%s with %s replaced by %s is %s', ([path, regex, substitution, expected]) => {
  const table = routes([
    {
      name: 'v',
      domains: ['*'],
      routes: [
        {
          match: { prefix: '/' },
          route: { cluster: 'c', regexRewrite: { pattern: { regex }, substitution } },
        },
      ],
    },
  ]);
  const action = table.find(request(path))?.action;
  expect(action?.kind === 'forward' && action.pathRewrite?.(path)).toBe(expected);
});

test('the default policy of the mesh retries failures to connect and leaves a 503 alone', () => {
  const policy = compileRetryPolicy(
    {
      $typeName: 'envoy.config.route.v3.RetryPolicy',
      retryOn: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes',
      numRetries: 2,
      retryHostPredicate: [],
      hostSelectionRetryMaxAttempts: 5n,
      retriableStatusCodes: [],
    },
    'retry_policy',
  );
  expect(policy?.retries).toBe(2);
  expect(policy?.retriesFailure('connect-failure')).toBe(true);
  expect(policy?.retriesFailure('reset')).toBe(false);
  expect(policy?.retriesAnswer(503, [])).toBe(false);
  expect(policy?.retriesAnswer(200, ['grpc-status', '14'])).toBe(true);
});

test.for([
  ['is missing', [], {}, false],
  ['is missing and counts as empty', [], { treatMissingHeaderAsEmpty: true }, true],
  ['has another value', ['b'], {}, true],
  ['has the value', ['a'], {}, false],
] as const)('a route for all values but one of a header that %s', ([, values, options, found]) => {
  const header = { name: 'x', stringMatch: { exact: 'a' }, invertMatch: true, ...options };
  const match = { prefix: '/', headers: [header] };
  const table = routes([{ name: 'v', domains: ['*'], routes: [{ match, ...to('c') }] }]);
  const input: MatchInput = {
    ...request('/'),
    header: (_name, passes) => (values.length === 0 ? null : values.some(passes)),
  };
  expect(table.find(input) !== null).toBe(found);
});
