import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { generateKeyPair } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import {
  accessLog,
  ENVOY,
  httpBootstrap,
  type StaticProxy,
  startStaticProxy,
} from '../fixtures/static-proxy.ts';
import {
  CLAIMS,
  JWT_FILTERS,
  made,
  NOW,
  ONE,
  sign,
  type TokenOptions,
  TWO,
} from './l7-jwt-configuration.ts';

/** Tokens of requests: the same configuration and requests to a real Envoy and to our engine. */

const ACCESS_LOG = accessLog('%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n');
interface Ask {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
}

let origin: Server;
let proxies: { readonly envoy: StaticProxy; readonly ours: StaticProxy };

/** What the origin was asked is what it answers. */
async function ask(port: number, { path, method = 'GET', headers = {}, body = '' }: Ask) {
  const sent = request({
    port,
    host: '127.0.0.1',
    path,
    method,
    headers: { host: 'shop', ...headers },
  });
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
  const said = await text(answer);
  return { status: answer.statusCode, said, challenge: answer.headers['www-authenticate'] };
}

function lines({ logFile }: StaticProxy): readonly string[] {
  return readFileSync(logFile, 'latin1').match(/.+/g) ?? [];
}

/** What both answer, and log. */
async function answers(asked: Ask) {
  const [envoy, ours] = await Promise.all(
    (['envoy', 'ours'] as const).map(async (name) => {
      const before = lines(proxies[name]).length;
      const answer = await ask(proxies[name].port, asked);
      await eventually(() => lines(proxies[name]).length > before, {
        what: 'a line',
      });
      return { ...answer, line: lines(proxies[name]).at(-1) };
    }),
  );
  return { envoy: envoy!, ours: ours! };
}

const claims = { iss: ONE, sub: 'someone', exp: NOW + 3600 };
const one = await sign(claims);
const two = await sign({ ...claims, iss: TWO });
const late = await sign({ ...claims, iss: TWO, exp: NOW - 100 });

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe.skipIf(ENVOY === undefined)('tokens at Envoy and at the waypoint', () => {
  beforeAll(async () => {
    origin = createServer((incoming, response) => {
      const { host: _host, 'x-request-id': _id, ...headers } = incoming.headers;
      const told = Object.entries(headers).filter(
        ([name]) => !/^(x-(envoy|forwarded)|conn)/.test(name),
      );
      void text(incoming).then((body) =>
        response.end(
          JSON.stringify([incoming.url, body, told.toSorted(([a], [b]) => a.localeCompare(b))]),
        ),
      );
    }).listen(0, '127.0.0.1');
    await once(origin, 'listening');
    const start = (name: 'envoy' | 'waypoint') =>
      startStaticProxy(name, (port) =>
        httpBootstrap({ origin: (origin.address() as AddressInfo).port }, [
          {
            port,
            routes: [{ match: { prefix: '/' }, route: { cluster: 'origin' } }],
            manager: { http_filters: JWT_FILTERS, access_log: [ACCESS_LOG] },
          },
        ]),
      );
    const [envoy, ours] = await Promise.all([start('envoy'), start('waypoint')]);
    proxies = { envoy, ours };
  }, 40_000);

  afterAll(async () => {
    await Promise.all(Object.values(proxies ?? {}).map((proxy) => proxy.stop()));
    origin.close();
    origin.closeAllConnections();
  });

  test.for<readonly [what: string, payload: object | string, options?: TokenOptions]>([
    ['a valid token', claims],
    ['without an end', { iss: ONE }],
    ['signed by ES384', claims, { alg: 'ES384' }],
    ['signed by RS256', claims, { alg: 'RS256' }],
    ['signed by PS512', claims, { alg: 'PS512' }],
    ['signed by EdDSA', claims, { alg: 'EdDSA' }],
    ['signed by HS256', claims, { alg: 'HS256' }],
    ['without the name of a key', claims, { header: {} }],
    ['with the name of no key', claims, { header: { kid: 'else' } }],
    ['with the name of a key of another kind', claims, { header: { kid: 'rs256' } }],
    ['with a name that is no text', claims, { header: { kid: 7 } }],
    ['of another issuer', { ...claims, iss: 'https://else.test' }],
    ['of the other issuer', { ...claims, iss: TWO }],
    ['of no issuer', { sub: 'someone' }],
    ['that has ended', { ...claims, exp: NOW - 61 }],
    ['that has ended within the difference of clocks', { ...claims, exp: NOW - 30 }],
    ['that has not begun', { ...claims, nbf: NOW + 120 }],
    ['that begins within the difference of clocks', { ...claims, nbf: NOW + 30 }],
    ['with an end that is text', { ...claims, exp: '1' }],
    ['with an end before all time', { ...claims, exp: -1 }],
    ['with an end between two seconds', { ...claims, exp: NOW + 10.5 }],
    ['with a begin that is text', { ...claims, nbf: 'now' }],
    ['with an issuer that is no text', { ...claims, iss: 7 }],
    ['with a subject that is no text', { ...claims, sub: 7 }],
    ['with an id that is no text', { ...claims, jti: 7 }],
    ['with an audience that is no text', { ...claims, aud: 7 }],
    ['with audiences that are no texts', { ...claims, aud: ['a', 7] }],
    ['with claims for headers', { ...claims, org: { name: 'shop' }, number: 42, true: true }],
    [
      'with claims that no header holds',
      { ...claims, org: { name: ['a'] }, number: 1.5, true: null },
    ],
    ['with an empty claim', { ...claims, sub: '' }],
    ['with a claim beyond ASCII', { ...claims, sub: 'Žofie' }],
    ['that is a list', '[]'],
    ['that is no JSON', '{"iss":'],
  ])('a token %s', async ([, payload, options]) => {
    const token = await sign(payload, options);
    const headers = bearer(token);
    const posted = { path: '/strict/x?y=z', headers, method: 'POST', body: 'body' };
    for (const asked of [
      { path: '/one', headers },
      posted,
      { path: '/mesh', headers },
      { path: '/any', headers },
    ]) {
      const { envoy, ours } = await answers(asked);
      expect(ours).toEqual(envoy);
    }
  });

  test.for<readonly [what: string, token: string]>([
    ['no sections', 'abc'],
    ['two sections', 'a.b'],
    ['four sections', `${made({ alg: 'ES256' }, claims)}.x`],
    ['an empty signature', made({ alg: 'ES256' }, claims, '')],
    ['no algorithm', made({ alg: 'none', kid: 'es256' }, claims)],
    ['an algorithm that nobody knows', made({ alg: 'XX' }, claims)],
    ['an algorithm that is no text', made({ alg: 7 }, claims)],
    ['without an algorithm', made({}, claims)],
    ['a header that is no JSON', made('{', claims)],
    ['a payload that is no JSON', made({ alg: 'ES256' }, '{')],
    ['a signature of the wrong length', made({ alg: 'ES256', kid: 'es256' }, claims)],
    [
      'the algorithm of a secret with the name of a public key',
      made({ alg: 'HS256', kid: 'es256' }, claims),
    ],
  ])('a token with %s', async ([, token]) => {
    for (const path of ['/one', '/strict', '/mesh', '/any']) {
      const { envoy, ours } = await answers({ path, headers: bearer(token) });
      expect(ours).toEqual(envoy);
      const { status } = ours;
      expect(status).toBe(401);
    }
  });

  test('a token that another key has signed', async () => {
    const { privateKey } = await generateKeyPair('ES256');
    const token = await sign(claims, { key: privateKey });
    const { envoy, ours } = await answers({ path: '/one', headers: bearer(token) });
    expect(ours).toEqual(envoy);
    const { status, said } = ours;
    expect([status, said]).toEqual([401, 'Jwt verification fails']);
  });

  test.for<readonly [aud: unknown, status: number]>([
    [undefined, 403],
    ['shop', 200],
    ['https://shop/', 200],
    [['x', 'pay.test'], 200],
    [['x'], 403],
    ['http://pay.test', 200],
  ])('an audience %o: %i', async ([aud, status]) => {
    const token = await sign({ ...claims, ...(aud !== undefined && { aud }) });
    const { envoy, ours } = await answers({ path: '/audience', headers: bearer(token) });
    expect(ours).toEqual(envoy);
    expect(ours.status).toBe(status);
  });

  test.for<readonly [what: string, asked: Ask]>([
    ['/two, headers: bearer(two)', { path: '/two', headers: bearer(two) }],
    [
      '/two, headers:  x-token: Token two ',
      { path: '/two', headers: { 'x-token': `Token ${two}` } },
    ],
    ['/two, headers:  x-token: two ', { path: '/two', headers: { 'x-token': two } }],
    [
      '/two, headers:  x-token: x Token two, more ',
      { path: '/two', headers: { 'x-token': `x Token ${two}, more` } },
    ],
    ['/two, headers:  x-token: Token  ', { path: '/two', headers: { 'x-token': 'Token ' } }],
    ['/two, headers:  x-plain: two ', { path: '/two', headers: { 'x-plain': two } }],
    [
      '/two, headers:  x-plain: Bearer two ',
      { path: '/two', headers: { 'x-plain': `Bearer ${two}` } },
    ],
    ['/two?t=two', { path: `/two?t=${two}` }],
    ['/two?a=1&t=two&b=2', { path: `/two?a=1&t=${two}&b=2` }],
    ['/two?u=two', { path: `/two?u=${two}` }],
    ['/two?t=two&u=late', { path: `/two?t=${two}&u=${late}` }],
    ['/two?t=two&t=late', { path: `/two?t=${two}&t=${late}` }],
    ['/two?v=late', { path: `/two?v=${late}` }],
    [
      '/two, headers:  cookie: a=b; tok=two; c=d ',
      { path: '/two', headers: { cookie: `a=b; tok=${two}; c=d` } },
    ],
    ['/two, headers:  cookie: tok="two" ', { path: '/two', headers: { cookie: `tok="${two}"` } }],
    [
      '/two, headers:  cookie: tok=late, x-plain: two ',
      { path: '/two', headers: { cookie: `tok=${late}`, 'x-plain': two } },
    ],
    ['/one?access_token=one', { path: `/one?access_token=${one}` }],
    ['/one?access_token=late', { path: `/one?access_token=${late}` }],
    ['/one with blanks', { path: '/one', headers: { authorization: `Bearer   ${one} ` } }],
    ['/one behind a comma', { path: '/one', headers: { authorization: `Bearer ,${one}` } }],
    [
      '/one, headers:  authorization: bearer one ',
      { path: '/one', headers: { authorization: `bearer ${one}` } },
    ],
    [
      '/one, headers:  authorization: Basic one ',
      { path: '/one', headers: { authorization: `Basic ${one}` } },
    ],
    [
      '/one, headers:  authorization: [Bearer one, Bearer two] ',
      { path: '/one', headers: { authorization: [`Bearer ${one}`, `Bearer ${two}`] } },
    ],
    ['/mesh?t=two, headers: bearer(one)', { path: `/mesh?t=${two}`, headers: bearer(one) }],
    ['/mesh?t=late, headers: bearer(one)', { path: `/mesh?t=${late}`, headers: bearer(one) }],
    ['/both?t=two, headers: bearer(one)', { path: `/both?t=${two}`, headers: bearer(one) }],
    ['/both?t=late, headers: bearer(one)', { path: `/both?t=${late}`, headers: bearer(one) }],
    ['/both, headers: bearer(one)', { path: '/both', headers: bearer(one) }],
    ['/mesh', { path: '/mesh' }],
    ['/any', { path: '/any' }],
    ['/strict', { path: '/strict' }],
    ['/else, headers: bearer(late)', { path: '/else', headers: bearer(late) }],
  ])('where tokens are looked for, and what of them goes on: %s', async ([, asked]) => {
    const { envoy, ours } = await answers(asked);
    expect(ours).toEqual(envoy);
  });

  test('a claim that would end its line is no header', async () => {
    const token = await sign({ ...claims, sub: 'a\r\nx-admin: yes' });
    const { status, said } = await ask(proxies.ours.port, { path: '/one', headers: bearer(token) });
    expect([status, said.includes('x-sub')]).toEqual([200, false]);
  });

  test('what a client says of a token that nobody has verified is taken away', async () => {
    const headers = { 'x-sub': 'admin', 'x-payload': 'e30', 'x-org': 'all' };
    const { envoy, ours } = await answers({ path: '/one', headers });
    expect(ours).toEqual(envoy);
    const { said } = ours;
    expect(said).not.toContain('admin');
  });

  test('preflights of pages carry no tokens, and need none', async () => {
    const headers = { origin: 'http://a', 'access-control-request-method': 'GET' };
    const late = bearer(await sign({ ...claims, exp: NOW - 100 }));
    const path = '/strict';
    const asks: readonly (readonly [Ask, number])[] = [
      [{ path, method: 'OPTIONS', headers: { ...headers, ...late } }, 200],
      [{ path, method: 'OPTIONS', headers: late }, 401],
      [{ path, headers: { ...headers, ...late } }, 401],
    ];
    for (const [asked, status] of asks) {
      const { envoy, ours } = await answers(asked);
      expect(ours).toEqual(envoy);
      expect(ours.status).toBe(status);
    }
  });

  test.for(Object.keys(CLAIMS))('policies ask for claims: %s', async (name) => {
    const path = `/one/claims/${name}`;
    const payloads = [
      claims,
      { ...claims, groups: ['g2', 'g1'], org: { id: '7' }, scope: 'read write', name: 'Žofie' },
      { ...claims, groups: 'g1', org: { id: 7 }, scope: ['write'], name: 'Zofie' },
      { ...claims, groups: ['h'], org: [{ id: '7' }], scope: 'readwrite' },
    ];
    const tokens = await Promise.all(payloads.map((payload) => sign(payload)));
    for (const asked of [{ path }, ...tokens.map((token) => ({ path, headers: bearer(token) }))]) {
      const { envoy, ours } = await answers(asked);
      expect(ours).toEqual(envoy);
    }
  });

  test('a request whose body comes while its token is verified arrives whole', async () => {
    const headers = bearer(await sign(claims, { alg: 'RS256' }));
    const body = 'x'.repeat(300_000);
    const { envoy, ours } = await answers({ path: '/one', method: 'POST', headers, body });
    expect(ours).toEqual(envoy);
    const { said } = ours;
    expect(said).toContain(body);
  });
});
