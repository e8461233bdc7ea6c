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
  const withRegex = {
    match: { prefix: '/' },
    route: { cluster: 'c', regexRewrite: { substitution: 'x' } },
  };
  expect(() => routes([{ name: 'v', domains: ['*'], routes: [withRegex] }])).toThrow(
    'virtual_hosts[0].routes[0].route.regex_rewrite: is not supported',
  );
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
  expect(policy?.retriesStatus(503, null)).toBe(false);
  expect(policy?.retriesStatus(200, '14')).toBe(true);
});
