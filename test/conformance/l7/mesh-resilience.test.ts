import { describe, expect, test } from 'vitest';
import { routeObject } from '../../fixtures/derived-waypoint.ts';
import { backend, type Shop, startShop } from './shop.ts';

/** Timeouts and retries of HTTPRoutes, and those that hold without being asked for. */
async function serve(fields: object): Promise<Shop> {
  return startShop([routeObject('HTTPRoute', [{ ...backend('v1'), ...fields }])]);
}

/** What a client is told, and how often the origin was asked. */
async function outcome(shop: Shop): Promise<{ status: number; attempts: number }> {
  const { status } = await shop.ask('/');
  return { status, attempts: shop.origins.v1.seen.length };
}

const fails = (status: number) => ({ status });
const slow = (delayMs: number, status = 200) => ({ status, delayMs });

describe('an answer that takes too long is 504', () => {
  test.for([
    ['for the whole request (L094)', { request: '600ms' }],
    ['for the backend (L095)', { backendRequest: '600ms' }],
  ] as const)('%s', async ([, timeouts]) => {
    const shop = await serve({ timeouts });
    shop.origins.v1.turns.push(slow(2000), slow(2000));
    const { status, body } = await shop.ask('/');
    expect([status, body]).toEqual([504, 'upstream request timeout']);
    expect(await shop.answers('/')).toBe(504);
    expect(await shop.answers('/')).toBe('v1');
  });
});

test('a timeout of zero is none (L096)', async () => {
  const shop = await serve({ timeouts: { request: '0s', backendRequest: '0s' } });
  shop.origins.v1.turns.push(slow(1000));
  expect(await outcome(shop)).toEqual({ status: 200, attempts: 1 });
});

describe('a status that a route retries', () => {
  const retry = { codes: [500], attempts: 3 };

  test.for([
    [2, { status: 200, attempts: 3 }],
    [4, { status: 500, attempts: 4 }],
  ] as const)('%i times is answered %o (L097)', async ([failures, expected]) => {
    const shop = await serve({ retry });
    shop.origins.v1.turns.push(...Array.from({ length: failures }, () => fails(500)));
    expect(await outcome(shop)).toEqual(expected);
  });

  test('is that status and no other (L098)', async () => {
    const shop = await serve({ retry });
    shop.origins.v1.turns.push(fails(503));
    expect(await outcome(shop)).toEqual({ status: 503, attempts: 1 });
  });
});

test.for([
  [2, { status: 200, attempts: 3 }],
  [3, { status: 504, attempts: 3 }],
] as const)(
  '%i attempts that take longer than one may, of three, are answered %o (L099)',
  async ([late, expected]) => {
    const shop = await serve({ retry: { attempts: 2 }, timeouts: { backendRequest: '400ms' } });
    shop.origins.v1.turns.push(...Array.from({ length: late }, () => slow(1200)));
    expect(await outcome(shop)).toEqual(expected);
  },
);

test('retries end with the time of the whole request (L100)', async () => {
  const shop = await serve({
    retry: { codes: [500], attempts: 9, backoff: '1ms' },
    timeouts: { request: '800ms' },
  });
  shop.origins.v1.turns.push(...Array.from({ length: 9 }, () => slow(250, 500)));
  const { status, attempts } = await outcome(shop);
  expect(status).toBe(504);
  expect(attempts).toBeGreaterThan(1);
  expect(attempts).toBeLessThan(5);
});

test.for([
  [2, [200], 3],
  [4, [500, 503], 4],
] as const)(
  '%i connections that are reset before an answer, with three retries, are answered %o (L101)',
  async ([resets, statuses, attempts]) => {
    const shop = await serve({ retry: { attempts: 3 } });
    shop.origins.v1.turns.push(...Array.from({ length: resets }, () => ({ resets: true })));
    const told = await outcome(shop);
    expect(statuses).toContain(told.status);
    expect(told.attempts).toBe(attempts);
  },
);

test('without being asked a 503 is not retried (L045)', async () => {
  const shop = await startShop([]);
  shop.origins.cart.turns.push(fails(503));
  const { status } = await shop.ask('/');
  expect([status, shop.origins.cart.seen.length]).toEqual([503, 1]);
});
