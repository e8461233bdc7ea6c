import { describe, expect, test } from 'vitest';
import { startOrigin } from '../../fixtures/echo-origin.ts';
import { eventually } from '../../fixtures/eventually.ts';
import { filterConfig, ROUTED_FILTERS, serveEngine, toOrigin } from './engine.ts';

/** Faults, CORS, mirrors and limits, in the Envoy configuration that asks for them. */
const ALWAYS = { numerator: 100 };

describe('a fault', () => {
  const withFault = (abort: object) =>
    serveEngine({
      routes: [{ ...toOrigin(), ...filterConfig('fault', 'fault.v3.HTTPFault', { abort }) }],
      manager: { http_filters: ROUTED_FILTERS },
    });

  test('answers the status that it has, and says so in the log (L020)', async () => {
    const { ask, engine, origin } = await withFault({ http_status: 418, percentage: ALWAYS });
    const { status, body } = await ask('/');
    expect([status, body]).toEqual([418, 'fault filter abort']);
    expect(engine.lines).toEqual(['418 FI fault_filter_abort\n']);
    expect(origin.seen).toEqual([]);
  });

  test('answers a client of gRPC in its own words (L021)', async () => {
    const { askHttp2 } = await withFault({ grpc_status: 14, percentage: ALWAYS });
    const { status, headers } = await askHttp2('/shop.Cart/Unary', {
      method: 'POST',
      headers: { 'content-type': 'application/grpc', te: 'trailers' },
    });
    expect([status, headers['grpc-status']]).toEqual([200, '14']);
  });

  test('without a share concerns nobody (L022)', async () => {
    const { ask } = await withFault({ http_status: 418 });
    for (let i = 0; i < 50; i++) expect((await ask('/')).status).toBe(200);
  });
});

describe('CORS', () => {
  const serve = () => {
    const policy = filterConfig('cors', 'cors.v3.CorsPolicy', {
      allow_origin_string_match: [{ exact: 'cors.com' }],
      allow_methods: 'POST,GET',
      allow_headers: 'X-Custom',
      max_age: '86400',
    });
    return serveEngine({
      routes: [{ ...toOrigin(), ...policy }],
      manager: { http_filters: ROUTED_FILTERS },
    });
  };

  test('answers a preflight with what is allowed, whatever it asks for (L023)', async () => {
    const { ask, origin } = await serve();
    const { status, headers } = await ask('/', {
      method: 'OPTIONS',
      headers: { origin: 'cors.com', 'access-control-request-method': 'DELETE' },
    });
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'access-control-allow-origin': 'cors.com',
      'access-control-allow-methods': 'POST,GET',
      'access-control-allow-headers': 'X-Custom',
      'access-control-max-age': '86400',
    });
    expect(origin.seen).toEqual([]);
  });

  test('tells an origin that it may read the answer, and nobody who did not ask (L024)', async () => {
    const { ask } = await serve();
    const asked = await ask('/', { headers: { origin: 'cors.com' } });
    expect([asked.status, asked.headers['access-control-allow-origin']]).toEqual([200, 'cors.com']);
    const plain = await ask('/');
    expect(plain.status).toBe(200);
    expect(plain.headers).not.toHaveProperty('access-control-allow-origin');
  });
});

describe('a mirror', () => {
  test('has its share of the requests, which are answered without it (L037)', async () => {
    const shadow = await startOrigin('shadow');
    const percent = { default_value: { numerator: 30 } };
    const { ask } = await serveEngine({
      clusters: { shadow: shadow.port },
      routes: [
        toOrigin({ request_mirror_policies: [{ cluster: 'shadow', runtime_fraction: percent }] }),
      ],
    });
    const requests = 300;
    shadow.turns.push(...Array.from({ length: requests }, () => ({ status: 500 })));
    for (let i = 0; i < requests; i++) expect((await ask('/')).seen?.origin).toBe('origin');
    const within = 5 * Math.sqrt(requests * 0.3 * 0.7);
    const isAbout = () => Math.abs(shadow.seen.length - requests * 0.3) < within;
    await eventually(isAbout, { what: 'a share of the copies' });
  });

  test('sees the host with -shadow behind it, unless that is turned off (L038)', async () => {
    const shadow = await startOrigin('shadow');
    const { ask } = await serveEngine({
      clusters: { shadow: shadow.port },
      routes: [
        toOrigin({
          request_mirror_policies: [
            { cluster: 'shadow' },
            { cluster: 'shadow', disable_shadow_host_suffix_append: true },
          ],
        }),
      ],
    });
    await ask('/');
    await eventually(() => shadow.seen.length === 2, { what: 'the copies' });
    const hosts = shadow.seen.map(({ host }) => host);
    expect(hosts.toSorted()).toEqual(['shop.test', 'shop.test-shadow']);
  });
});

test('an empty bucket answers 429, with the header that it is given (L180)', async () => {
  const limit = filterConfig('local_ratelimit', 'local_ratelimit.v3.LocalRateLimit', {
    stat_prefix: 'limit',
    filter_enabled: { default_value: ALWAYS },
    filter_enforced: { default_value: ALWAYS },
    token_bucket: { max_tokens: 1, tokens_per_fill: 1, fill_interval: '600s' },
    response_headers_to_add: [
      {
        header: { key: 'x-local-rate-limit', value: 'true' },
        append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
      },
    ],
  });
  const { ask, engine } = await serveEngine({
    routes: [{ ...toOrigin(), ...limit }],
    manager: { http_filters: ROUTED_FILTERS },
  });
  expect((await ask('/')).status).toBe(200);
  const { status, headers } = await ask('/');
  expect([status, headers['x-local-rate-limit']]).toEqual([429, 'true']);
  expect(engine.lines.at(-1)).toBe('429 RL local_rate_limited\n');
});
