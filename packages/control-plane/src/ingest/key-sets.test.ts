import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLogger } from '@aquifer/runtime';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Graph } from '../collections/graph.ts';
import { type KeySetDeps, KeySets } from './key-sets.ts';

/** As the code has it. */
const REFRESH_MS = 20 * 60_000;
const SET = '{"keys":[{"kty":"oct","k":"AAAA"}]}';

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Fetches what these addresses have; resolves with the next change or warning. */
function fetching(...addresses: readonly string[]) {
  return fetchingWithin(undefined, ...addresses);
}

function fetchingWithin(limits: KeySetDeps['limits'], ...addresses: readonly string[]) {
  const graph = new Graph((_collection, _key, error) => {
    throw error;
  });
  const wanted = graph.input<string>('wanted');
  const keySets = graph.input<string>('key sets');
  for (const address of addresses) wanted.set(address, address);
  let tell: (what: string) => void = () => undefined;
  const log = createLogger('jwks', { format: 'plain', write: (line) => tell(line) });
  const fetcher = new KeySets({
    wanted,
    keySets,
    log,
    onChange: () => tell('changed'),
    ...(limits && { limits }),
  });
  onTestFinished(() => fetcher.stop());
  const next = () =>
    new Promise<string>((resolve) => {
      tell = resolve;
    });
  const look = () => {
    graph.settle();
    fetcher.look();
  };
  return { wanted, keySets, next, look };
}

test('a key set is fetched, and forgotten when nobody wants it', async () => {
  const address = await serve((_request, response) => response.end(SET));
  const { wanted, keySets, next, look } = fetching(address);
  look();
  expect(await next()).toBe('changed');
  look();
  expect(keySets.get(address)).toBe(SET);
  wanted.set(address, undefined);
  look();
  look();
  expect(keySets.get(address)).toBeUndefined();
});

test('one that is forgotten while it is fetched and wanted again is fetched in one series', async () => {
  const waiting: (() => void)[] = [];
  const address = await serve((_request, response) => {
    waiting.push(() => response.end(SET));
  });
  const { wanted, look } = fetching(address);
  const timers = refreshTimers();
  look();
  await vi.waitUntil(() => waiting.length === 1);
  wanted.set(address, undefined);
  look();
  wanted.set(address, address);
  look();
  await vi.waitUntil(() => waiting.length === 2);
  for (const answer of waiting) answer();
  await vi.waitUntil(() => timers() > 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(timers()).toBe(1);
});

/** How many timers wait to fetch again what was fetched; those of the process at large are no measure. */
function refreshTimers(): () => number {
  const set = vi.spyOn(globalThis, 'setTimeout');
  const clear = vi.spyOn(globalThis, 'clearTimeout');
  onTestFinished(() => {
    set.mockRestore();
    clear.mockRestore();
  });
  return () => {
    const cleared = new Set(clear.mock.calls.map(([timer]) => timer));
    return set.mock.calls.filter(
      ([, ms], index) => ms === REFRESH_MS && !cleared.has(set.mock.results[index]?.value),
    ).length;
  };
}

test.for(['file:///etc/passwd', 'data:application/json,{"keys":[]}', 'nowhere'])(
  'keys at %s are not fetched, and the warning says so',
  async (address) => {
    const { next, look, keySets } = fetching(address);
    look();
    expect(await next()).toContain('is no address of http or https');
    look();
    expect(keySets.get(address)).toBeUndefined();
  },
);

test('an OpenID configuration leads to the key set', async () => {
  const origin = await serve((request, response) => {
    const { url, headers } = request;
    response.end(url === '/keys' ? SET : `{"jwks_uri":"http://${headers.host}/keys"}`);
  });
  const address = `${origin}/.well-known/openid-configuration`;
  const { keySets, next, look } = fetching(address);
  look();
  await next();
  look();
  expect(keySets.get(address)).toBe(SET);
});

test.for<readonly [what: string, listener: RequestListener, says: RegExp]>([
  ['an error', (_request, response) => response.writeHead(500).end(SET), /answered 500/],
  ['something else', (_request, response) => response.end('{"keys":7}'), /no JSON Web Key Set/],
  ['no JSON', (_request, response) => response.end('<html>'), /not valid JSON/],
  [
    'no end',
    (_request, response) => response.end('x'.repeat(2 ** 21)),
    /longer than 1048576 bytes/,
  ],
])('%s instead of a key set is told, with its address', async ([, listener, says]) => {
  const address = await serve(listener);
  const { keySets, next, look } = fetching(address);
  look();
  const line = await next();
  expect(line).toMatch(says);
  expect(line).toContain(address);
  look();
  expect(keySets.get(address)).toBeUndefined();
});

test('no more than so many are fetched at a time', async () => {
  const waiting: (() => void)[] = [];
  const origin = await serve((_request, response) => {
    waiting.push(() => response.end(SET));
  });
  const addresses = ['/a', '/b', '/c'].map((path) => `${origin}${path}`);
  const { keySets, look } = fetchingWithin({ addresses: 9, atATime: 2 }, ...addresses);
  look();
  await vi.waitUntil(() => waiting.length === 2);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(waiting).toHaveLength(2);
  waiting[0]!();
  await vi.waitUntil(() => waiting.length === 3);
  for (const answer of waiting) answer();
  await vi.waitUntil(() => addresses.every((address) => keySets.latest(address) === SET));
});

test('one for which nobody waits any more is not fetched', async () => {
  const asked: (string | undefined)[] = [];
  const waiting: (() => void)[] = [];
  const origin = await serve(({ url }, response) => {
    asked.push(url);
    waiting.push(() => response.end(SET));
  });
  const [a, b, c] = ['/a', '/b', '/c'].map((path) => `${origin}${path}`) as [
    string,
    string,
    string,
  ];
  const { wanted, keySets, look } = fetchingWithin({ addresses: 9, atATime: 1 }, a, b, c);
  look();
  await vi.waitUntil(() => waiting.length === 1);
  wanted.set(b, undefined);
  look();
  waiting[0]!();
  await vi.waitUntil(() => waiting.length === 2);
  waiting[1]!();
  await vi.waitUntil(() => keySets.latest(c) === SET);
  expect(asked).toEqual(['/a', '/c']);
});

test('those that are too many are named, once, and fetched when there is room', async () => {
  const origin = await serve((_request, response) => response.end(SET));
  const [a, b] = [`${origin}/a`, `${origin}/b`];
  const { wanted, keySets, next, look } = fetchingWithin({ addresses: 1, atATime: 9 }, a, b);
  const warned = next();
  look();
  expect(await warned).toMatch(/fetched from 1 addresses and no more.*\/b/);
  expect(await next()).toBe('changed');
  const then = next();
  look();
  wanted.set(a, undefined);
  look();
  expect(await then).toBe('changed');
  look();
  expect(keySets.get(b)).toBe(SET);
});

test('a redirect is followed', async () => {
  const origin = await serve(({ url }, response) => {
    if (url === '/keys') response.end(SET);
    else response.writeHead(302, { location: '/keys' }).end();
  });
  const address = `${origin}/moved`;
  const { keySets, next, look } = fetching(address);
  look();
  expect(await next()).toBe('changed');
  look();
  expect(keySets.get(address)).toBe(SET);
});

test.for<readonly [to: string, says: RegExp]>([
  ['/again', /redirected more than 10 times/],
  ['file:///etc/passwd', /is no address of http or https/],
])('a redirect to %s is not', async ([location, says]) => {
  let asked = 0;
  const address = await serve((_request, response) => {
    asked += 1;
    response.writeHead(307, { location }).end();
  });
  const { next, look } = fetching(address);
  look();
  expect(await next()).toMatch(says);
  expect(asked).toBeLessThanOrEqual(11);
});
