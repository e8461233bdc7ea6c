import { RouteConfigurationSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { compileRoutes } from './route.ts';

function compile(changes: JsonValue): void {
  const route = { match: { prefix: '/' }, route: { cluster: 'c' }, ...(changes as object) };
  const virtualHosts = [{ name: 'v', domains: ['*'], routes: [route] }] as JsonValue;
  compileRoutes(fromJson(RouteConfigurationSchema, { name: 'r', virtualHosts }));
}

const set = (key: string, value = 'x') => [{ header: { key, value } }];
const ROUTE = 'virtual_hosts[0].routes[0]';

test.for([
  'content-length',
  'Transfer-Encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'Host',
  ':authority',
  'a b',
  'a\r\nb',
  '',
])('a route that sets %j, which is for the codec or no header, is refused, and named', (name) => {
  expect(() => compile({ requestHeadersToAdd: set(name) })).toThrow(
    `${ROUTE}.request_headers_to_add[0].header.key: `,
  );
  expect(() => compile({ responseHeadersToAdd: set(name) })).toThrow(
    `${ROUTE}.response_headers_to_add[0].header.key: `,
  );
  const clusters = [{ name: 'c', weight: 1, requestHeadersToAdd: set(name) }];
  expect(() => compile({ route: { weightedClusters: { clusters } } })).toThrow(
    `${ROUTE}.route.weighted_clusters.clusters[0].request_headers_to_add[0].header.key: `,
  );
});

test.for(['a\r\nb: c', 'a\nb', 'a\0'])('a route that sets a header to %j is refused', (value) => {
  expect(() => compile({ requestHeadersToAdd: set('x', value) })).toThrow('control characters');
  expect(() => compile({ route: { cluster: 'c', hostRewriteLiteral: value } })).toThrow(
    'control characters',
  );
});

test('a route may not take the host away, but what the codec says anew', () => {
  expect(() => compile({ requestHeadersToRemove: ['host'] })).toThrow(
    'request_headers_to_remove[0]',
  );
  expect(() => compile({ requestHeadersToRemove: ['content-length', 'te'] })).not.toThrow();
});
