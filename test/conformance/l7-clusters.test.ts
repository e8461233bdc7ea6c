import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import { ENVOY, type StaticProxy, startStaticProxy } from '../fixtures/static-proxy.ts';
import { bootstrap } from './l7-clusters-bootstrap.ts';

/** The same clusters for a real Envoy and for our L7 engine: the same endpoints, the same overflow, the same ejections. */

type ProxyName = 'envoy' | 'ours';

interface Answer {
  readonly status: number;
  /** Of the origin's name, or what a proxy says. */
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
}

const KEYS = Array.from({ length: 200 }, (_, i) => `key-${i}`);

let servers: Server[];
let proxies: Readonly<Record<ProxyName, StaticProxy>>;
/** Names of the origins that were asked, in order. */
const asked: string[] = [];
/** Requests that wait until they are to be answered. */
const held: (() => void)[] = [];
let slowConnections = 0;
const agent = new Agent({ keepAlive: true, maxSockets: 20 });

/** Answers with its name, or a status that is asked for; what is to be held waits. */
async function startOrigin(name: string): Promise<Server> {
  const server = createServer((incoming, response) => {
    asked.push(name);
    const status = String(incoming.headers['x-fail'] ?? '').includes(name) ? 503 : 200;
    const answer = (): void => void response.writeHead(status).end(name);
    if (incoming.headers['x-hold'] === undefined) answer();
    else held.push(answer);
  }).listen(0, '127.0.0.1');
  if (name === 'slow') server.on('connection', () => void slowConnections++);
  await once(server, 'listening');
  return server;
}

async function ask(
  proxy: ProxyName,
  path: string,
  headers: Readonly<Record<string, string | string[]>> = {},
): Promise<Answer> {
  const { port } = proxies[proxy];
  const outgoing = request({
    port,
    host: '127.0.0.1',
    path,
    agent,
    headers: { host: 'shop.test', ...headers },
  });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return {
    status: response.statusCode ?? 0,
    body: await text(response),
    headers: response.headers,
  };
}

/** Those of a sequence are asked one after the other. */
async function bodies(
  proxy: ProxyName,
  requests: readonly (readonly [string, Readonly<Record<string, string | string[]>>])[],
): Promise<string[]> {
  const answers: string[] = [];
  for (const [path, headers] of requests) answers.push((await ask(proxy, path, headers)).body);
  return answers;
}

/** What both make of it, once each. */
async function both<T>(act: (proxy: ProxyName) => Promise<T>): Promise<{ envoy: T; ours: T }> {
  return { envoy: await act('envoy'), ours: await act('ours') };
}

/** Access lines that `act` leads to. */
async function logged(
  proxy: ProxyName,
  count: number,
  act: () => Promise<unknown>,
): Promise<string[]> {
  const { logFile } = proxies[proxy];
  const before = readFileSync(logFile, 'latin1').length;
  await act();
  const lines = () => readFileSync(logFile, 'latin1').slice(before).split('\n').slice(0, -1);
  await eventually(() => lines().length >= count, { what: 'the access lines' });
  return lines().toSorted();
}

function told({ status, body, headers }: Answer): unknown {
  return { status, body, overloaded: headers['x-envoy-overloaded'] ?? null };
}

describe.skipIf(ENVOY === undefined)(
  'given the same clusters, Envoy and the waypoint (skipped where envoy is not installed)',
  () => {
    beforeAll(async () => {
      const names = ['a', 'b', 'c', 'd', 'e', 'f', 'slow'];
      servers = await Promise.all(names.map((name) => startOrigin(name)));
      const ports = servers.map((server) => (server.address() as AddressInfo).port);
      const [origins, slow] = [ports.slice(0, 6), ports[6]!];
      const start = (name: 'envoy' | 'waypoint') =>
        startStaticProxy(name, (listen) => bootstrap({ listen, origins, slow }));
      const [envoy, ours] = await Promise.all([start('envoy'), start('waypoint')]);
      proxies = { envoy, ours };
    }, 40_000);

    afterAll(async () => {
      agent.destroy();
      await Promise.all(Object.values(proxies).map((proxy) => proxy.stop()));
      for (const server of servers) {
        server.close();
        server.closeAllConnections();
      }
    });

    test.for([
      'ring',
      'ring-weighted',
      'ring-default',
      'ring-priorities',
      'ring-localities',
      'maglev',
      'maglev-weighted',
      'maglev-default',
      'maglev-priorities',
      'maglev-localities',
    ])('choose the same endpoint of %s for 200 keys (L053)', async (name) => {
      const requests = KEYS.map((key) => [`/${name}`, { 'x-key': key }] as const);
      const { envoy, ours } = await both((proxy) => bodies(proxy, requests));
      expect(new Set(envoy).size).toBeGreaterThan(2);
      expect(ours).toEqual(envoy);
    });

    test.for([
      {
        by: 'a query parameter (L054)',
        requests: KEYS.map((key) => [`/by-query?x=1&key=${key}`, {}] as const),
      },
      {
        by: 'an encoded query parameter',
        requests: KEYS.map((key) => [`/by-query?key=%41+${key}%20b`, {}] as const),
      },
      {
        by: 'a cookie',
        requests: KEYS.map((key) => ['/by-cookie', { cookie: `a=b; session="${key}"` }] as const),
      },
      {
        by: 'a header with several values',
        requests: KEYS.map(
          (key) => ['/ring', { 'x-key': [key, 'alpha', `${key}x`] as string[] }] as const,
        ),
      },
      {
        by: 'bytes that are not ASCII',
        requests: KEYS.map((key) => ['/ring', { 'x-key': `grün-${key}` }] as const),
      },
      {
        by: 'long values',
        requests: KEYS.map((key) => ['/ring', { 'x-key': key.repeat(20) }] as const),
      },
      {
        by: 'two headers',
        requests: KEYS.map((key) => ['/by-two', { 'x-key': key, 'x-other': 'y' }] as const),
      },
      {
        by: 'the first of two headers',
        requests: KEYS.map((key) => ['/by-terminal', { 'x-key': key, 'x-other': 'y' }] as const),
      },
      {
        by: 'the second of two headers',
        requests: KEYS.map((key) => ['/by-terminal', { 'x-other': key }] as const),
      },
      {
        by: 'the source address (L054)',
        requests: KEYS.slice(0, 5).map(() => ['/by-source', {}] as const),
      },
    ])('choose the same endpoint by $by', async ({ requests }) => {
      const { envoy, ours } = await both((proxy) => bodies(proxy, requests));
      expect(ours).toEqual(envoy);
    });

    test('give a client without the cookie one that leads to the same endpoint again', async () => {
      const { envoy, ours } = await both(async (proxy) => {
        const first = await ask(proxy, '/by-cookie');
        const [cookie = ''] = first.headers['set-cookie'] ?? [];
        const session = /^session="[0-9a-f]{16}"/.exec(cookie)?.[0] ?? '';
        const next = await bodies(
          proxy,
          Array.from({ length: 5 }, () => ['/by-cookie', { cookie: session }] as const),
        );
        const again = await ask(proxy, '/by-cookie', { cookie: session });
        return {
          isSame: next.every((body) => body === first.body),
          attributes: cookie.slice(session.length),
          isSetAgain: again.headers['set-cookie'] !== undefined,
        };
      });
      expect(envoy.isSame).toBe(true);
      expect(ours).toEqual(envoy);
    });

    test.for(['ring', 'maglev'])('try the same endpoints of %s in turn', async (name) => {
      const { envoy, ours } = await both(async (proxy) => {
        const turns: string[] = [];
        for (const key of KEYS.slice(0, 40)) {
          asked.length = 0;
          await ask(proxy, `/retried-${name}`, { 'x-key': key, 'x-fail': 'abcdef' });
          turns.push(asked.join(''));
        }
        return turns;
      });
      expect(ours).toEqual(envoy);
    });

    test('leave the same priorities for others that were tried in vain', async () => {
      const { envoy, ours } = await both(async (proxy) => {
        asked.length = 0;
        await ask(proxy, '/retried-tiers', { 'x-fail': 'abcdef' });
        return asked.join('');
      });
      expect(envoy).toContain('b');
      expect(ours).toBe(envoy);
    });

    test('give endpoints turns by their weights', async () => {
      const { envoy, ours } = await both(async (proxy) => {
        const turns = Array.from({ length: 42 }, () => ['/round-robin', {}] as const);
        return (await bodies(proxy, turns)).toSorted().join('');
      });
      expect(envoy).toMatch(/^aab{4}c{6}d{8}e{10}f{12}$/);
      expect(ours).toBe(envoy);
    });

    test('answer the same to more requests than there may be', async () => {
      const { envoy, ours } = await both(async (proxy) => {
        let refused: unknown;
        const lines = await logged(proxy, 2, async () => {
          const first = ask(proxy, '/max-requests', { 'x-hold': '1' });
          await eventually(() => held.length === 1, { what: 'the request' });
          refused = told(await ask(proxy, '/max-requests'));
          held.pop()!();
          await first;
        });
        const later = told(await ask(proxy, '/max-requests'));
        return { refused, lines, later };
      });
      expect(envoy.refused).toMatchObject({ status: 503, overloaded: 'true' });
      expect(ours).toEqual(envoy);
    });

    test('let one request wait for the only connection, and refuse the next (L162)', async () => {
      const { envoy, ours } = await both(async (proxy) => {
        let answers: unknown[] = [];
        const lines = await logged(proxy, 3, async () => {
          const first = ask(proxy, '/max-pending', { 'x-hold': '1' });
          await eventually(() => held.length === 1, { what: 'the request' });
          const others = [ask(proxy, '/max-pending'), ask(proxy, '/max-pending')];
          const refused = await Promise.race(others);
          expect(refused.status).toBe(503);
          held.pop()!();
          answers = (await Promise.all([first, ...others])).map(told);
        });
        return { answers: answers.map((one) => JSON.stringify(one)).toSorted(), lines };
      });
      expect(envoy.answers.filter((answer) => answer.includes('overflow'))).toHaveLength(1);
      expect(ours).toEqual(envoy);
    });

    test.for(['max-retries', 'refused-retries'])(
      'answer the same when a retry is too many: %s',
      async (name) => {
        const { envoy, ours } = await both(async (proxy) => {
          let answer: unknown;
          const lines = await logged(proxy, 1, async () => {
            answer = told(await ask(proxy, `/${name}`, { 'x-fail': 'slow' }));
          });
          return { answer, lines };
        });
        expect(envoy.lines[0]).toContain('UO');
        expect(ours).toEqual(envoy);
      },
    );

    test('make a connection for each request where they may serve one', async () => {
      const { envoy, ours } = await both(async (proxy) => {
        const before = slowConnections;
        for (let i = 0; i < 4; i++) await ask(proxy, '/one-request');
        return slowConnections - before;
      });
      expect(envoy).toBe(4);
      expect(ours).toBe(4);
    });

    test.for([
      { cluster: 'outliers', what: 'so many as may be' },
      { cluster: 'all-outliers', what: 'all, and then have no endpoint (L165)' },
    ])('eject the same endpoints that fail: $what', async ({ cluster }) => {
      const byKeys = KEYS.slice(0, 50).map((key) => [`/${cluster}`, { 'x-key': key }] as const);
      const { envoy, ours } = await both(async (proxy) => {
        const before = await bodies(proxy, byKeys);
        const seen: string[] = [];
        for (let i = 0; i < 24; i++) {
          const failing = { 'x-key': 'one', 'x-fail': 'abcdef' };
          const { status, body } = await ask(proxy, `/${cluster}`, failing);
          seen.push(`${status} ${body}`);
          // Envoy ejects on another thread.
          await delay(20);
        }
        const meanwhile = await bodies(proxy, byKeys);
        const isAsBefore = async () => isDeepStrictEqual(await bodies(proxy, byKeys), before);
        await eventually(isAsBefore, { timeoutMs: 8_000, what: 'the endpoints to come back' });
        return { before, seen, meanwhile };
      });
      expect(envoy.meanwhile).not.toEqual(envoy.before);
      expect(ours).toEqual(envoy);
    });

    test('eject an endpoint that refuses connections', async () => {
      const { envoy, ours } = await both(async (proxy) => {
        const requests = KEYS.map((key) => ['/dead-outliers', { 'x-key': key }] as const);
        const answers = await bodies(proxy, requests);
        return answers.filter((body) => body.startsWith('upstream connect error')).length;
      });
      expect(envoy).toBe(3);
      expect(ours).toBe(envoy);
    });
  },
);
