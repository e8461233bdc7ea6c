import { describe, expect, test } from 'vitest';
import { freePort } from '../../fixtures/static-proxy.ts';
import { serveEngine, toOrigin } from './engine.ts';

/** What becomes of requests that origins do not answer well, in the Envoy configuration that says so. */

const DEFAULT_RETRIES = {
  retry_on: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes',
  num_retries: 2,
  retry_back_off: { base_interval: '0.001s' },
};

describe('what has nowhere to go is 503', () => {
  test('without the cluster it leads to (L039)', async () => {
    const { ask, engine } = await serveEngine({
      routes: [{ match: { prefix: '/' }, route: { cluster: 'outbound|80|v3|missing' } }],
    });
    const { status, body } = await ask('/');
    expect([status, body]).toEqual([503, '']);
    expect(engine.lines).toEqual(['503 NC cluster_not_found\n']);
  });

  test('without endpoints (L040)', async () => {
    const { ask, engine } = await serveEngine({
      clusters: { empty: { load_assignment: { cluster_name: 'empty' } } },
      routes: [{ match: { prefix: '/' }, route: { cluster: 'empty', timeout: '0s' } }],
    });
    const { status, body } = await ask('/');
    expect([status, body]).toEqual([503, 'no healthy upstream']);
    expect(engine.lines).toEqual(['503 UH no_healthy_upstream\n']);
  });

  test('with an endpoint that takes no connections, after retries (L041), or without (L046)', async () => {
    const to = { cluster: 'closed', timeout: '0s' };
    const { ask, engine } = await serveEngine({
      clusters: { closed: await freePort() },
      routes: [
        { match: { prefix: '/retried' }, route: { ...to, retry_policy: DEFAULT_RETRIES } },
        { match: { prefix: '/' }, route: to },
      ],
    });
    const words = 'upstream connect error or disconnect/reset before headers. ';
    const retried = await ask('/retried');
    expect(retried.status).toBe(503);
    expect(retried.body).toContain(`${words}retried and the latest reset reason: `);
    const once = await ask('/once');
    expect(once.status).toBe(503);
    expect(once.body).toContain(`${words}reset reason: `);
    const flags = engine.lines.map((line) => line.split(' ')[1]?.split(',').toSorted());
    expect(flags).toEqual([['UF', 'URX'], ['UF']]);
  });
});

test('an answer that comes too late is 504 (L042), and with no limit it is waited for (L043)', async () => {
  const { ask, engine, origin } = await serveEngine({
    routes: [toOrigin({ timeout: '0.2s' }, { prefix: '/limited' }), toOrigin()],
  });
  origin.turns.push({ delayMs: 1000 }, { delayMs: 1000 });
  const limited = await ask('/limited');
  expect([limited.status, limited.body]).toEqual([504, 'upstream request timeout']);
  expect(engine.lines[0]).toMatch(/^504 UT /);
  expect((await ask('/')).status).toBe(200);
});

test('a status that is to be retried is, and the origin is told the number of the attempt (L044)', async () => {
  const route = toOrigin({
    retry_policy: {
      retry_on: 'retriable-status-codes',
      retriable_status_codes: [503],
      num_retries: 3,
      per_try_timeout: '2s',
      retry_back_off: { base_interval: '0.001s' },
    },
  });
  const virtualHost = { name: 'shop', domains: ['*'], routes: [route] };
  const { ask, origin } = await serveEngine({
    routes: [],
    manager: {
      route_config: {
        name: 'routes',
        virtual_hosts: [{ ...virtualHost, include_request_attempt_count: true }],
      },
    },
  });
  origin.turns.push({ status: 503 }, { status: 503 });
  const { status, seen } = await ask('/');
  expect(status).toBe(200);
  expect(seen?.headers['x-envoy-attempt-count']).toEqual(['3']);
  expect(origin.seen).toHaveLength(3);
});
