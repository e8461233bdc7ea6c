import { expect, test } from 'vitest';
import { routeObject, serveDerived, serviceOf } from '../../fixtures/derived-waypoint.ts';
import { startOrigin } from '../../fixtures/echo-origin.ts';
import { ask } from '../../fixtures/http-asking.ts';

/** Redirects of HTTPRoutes, from the object to what a client is told. */
const VIP = '10.96.0.10';

interface Redirected {
  /** Of the Service. Default: 80. */
  readonly port?: 80 | 8080;
  /** Default: a prefix of everything. */
  readonly path?: object;
  readonly filter: object;
  readonly target?: string;
  readonly status?: number;
  readonly location: string;
}

const replace = (replacePrefixMatch: string) => ({
  path: { type: 'ReplacePrefixMatch', replacePrefixMatch },
});
const replaceAll = (replaceFullPath: string) => ({
  path: { type: 'ReplaceFullPath', replaceFullPath },
});
const prefix = (value: string) => ({ type: 'PathPrefix', value });

test.for<[what: string, redirected: Redirected]>([
  [
    'another prefix (L070)',
    {
      path: prefix('/original-prefix'),
      filter: replace('/replacement-prefix'),
      target: '/original-prefix/lemon?a=b',
      location: 'http://example.org/replacement-prefix/lemon?a=b',
    },
  ],
  [
    'another path (L071)',
    {
      path: prefix('/full'),
      filter: replaceAll('/full-path-replacement'),
      target: '/full/path/original',
      location: 'http://example.org/full-path-replacement',
    },
  ],
  [
    'another path of another host (L071)',
    {
      path: prefix('/full'),
      filter: { hostname: 'else.test', ...replaceAll('/replacement-full') },
      target: '/full/path',
      location: 'http://else.test/replacement-full',
    },
  ],
  [
    'the port of the Service, when nothing is said of scheme and port (L072)',
    { port: 8080, filter: { hostname: 'example.org' }, location: 'http://example.org:8080/' },
  ],
  [
    'a host without port, when the port is that of http (L073)',
    { port: 8080, filter: { port: 80 }, location: 'http://example.org/' },
  ],
  [
    'a host without port, when only https is said (L074)',
    { port: 8080, filter: { scheme: 'https' }, location: 'https://example.org/' },
  ],
  [
    'a host without port, when only https is said on the port of http (L074)',
    { filter: { scheme: 'https' }, location: 'https://example.org/' },
  ],
  [
    'the port that is said, when it is not that of https (L075)',
    { filter: { scheme: 'https', port: 8443 }, location: 'https://example.org:8443/' },
  ],
  [
    'another port with status 301 (L077)',
    {
      filter: { port: 8083, statusCode: 301 },
      status: 301,
      location: 'http://example.org:8083/',
    },
  ],
  ...[303, 307, 308].map((status): [string, Redirected] => [
    `another host with status ${status} (L078)`,
    {
      filter: { hostname: 'else.test', statusCode: status },
      status,
      location: 'http://else.test/',
    },
  ]),
])('a redirect leads to %s', async ([, redirected]) => {
  const { port = 80, path = prefix('/'), filter, target = '/', status = 302 } = redirected;
  const origin = await startOrigin('cart', { ip: '127.0.0.61' });
  const rule = {
    matches: [{ path }],
    filters: [{ type: 'RequestRedirect', requestRedirect: filter }],
  };
  const waypoint = serveDerived([
    ...serviceOf('cart', VIP, origin),
    routeObject('HTTPRoute', [rule]),
  ]);
  const at = await waypoint.portTo({ ip: VIP, port });
  const answer = await ask(at, target, { host: 'example.org' });
  expect([answer.status, answer.headers.location]).toEqual([status, redirected.location]);
  expect(origin.seen).toEqual([]);
});
