import { expect, test } from 'vitest';
import { routeObject } from '../../fixtures/derived-waypoint.ts';
import { backend, type Shop, startShop } from './shop.ts';

/** CORS of HTTPRoutes, from the object to what a browser is told. */
async function serve(cors: object): Promise<Shop> {
  const filters = [{ type: 'CORS', cors }];
  return startShop([routeObject('HTTPRoute', [{ filters, ...backend('v1') }])]);
}

const preflight = (origin: string, method = 'POST', headers: Record<string, string> = {}) => ({
  method: 'OPTIONS',
  headers: { origin, 'access-control-request-method': method, ...headers },
});

test('an origin that a wildcard takes is echoed, with credentials (L090)', async () => {
  const shop = await serve({
    allowOrigins: ['https://www.foo.com', 'https://*.bar.com'],
    allowMethods: ['GET', 'OPTIONS'],
    allowHeaders: ['x-header-1', 'x-header-2'],
    exposeHeaders: ['x-header-3'],
    allowCredentials: true,
    maxAge: 3600,
  });
  for (const origin of ['https://www.foo.com', 'https://xpto.www.bar.com']) {
    const asked = await shop.ask('/', preflight(origin, 'GET'));
    expect(asked.status).toBe(200);
    expect(asked.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET,OPTIONS',
      'access-control-allow-headers': 'x-header-1,x-header-2',
      'access-control-max-age': '3600',
    });
    const answer = await shop.ask('/', { headers: { origin } });
    expect(answer.seen?.origin).toBe('v1');
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'x-header-3',
    });
  }
  expect(shop.origins.v1.seen.map(({ method }) => method)).toEqual(['GET', 'GET']);
});

test('with credentials every origin is told its own name, not a wildcard (L091)', async () => {
  const shop = await serve({ allowOrigins: ['*'], allowCredentials: true });
  const origin = 'https://other.foo.com';
  for (const asked of [preflight(origin), { headers: { origin } }]) {
    const { headers } = await shop.ask('/', asked);
    expect(headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
    });
  }
});

test('any method is allowed as the one that is asked for (L092)', async () => {
  const shop = await serve({ allowOrigins: ['https://www.foo.com'], allowMethods: ['*'] });
  const { headers } = await shop.ask('/', preflight('https://www.foo.com', 'POST'));
  expect(headers['access-control-allow-methods']).toBe('POST');
  expect(headers).not.toHaveProperty('access-control-allow-credentials');
});

test('another origin is told nothing, and its requests are served (L093)', async () => {
  const shop = await serve({ allowOrigins: ['https://*.bar.com'], allowMethods: ['GET'] });
  for (const origin of ['https://bar.com', 'https://www.bar.com.evil.test', 'http://a.bar.com']) {
    const asked = await shop.ask('/', preflight(origin));
    expect([200, 204, 403]).toContain(asked.status);
    expect(asked.headers).not.toHaveProperty('access-control-allow-origin');
    const answer = await shop.ask('/', { headers: { origin } });
    expect(answer.seen?.origin).toBe('v1');
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
  }
});
