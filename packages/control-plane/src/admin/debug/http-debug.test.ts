import { ok } from '@aquifer/model';
import { expect, test } from 'vitest';
import { SETTINGS } from '../../derive/derivation.fixture.ts';
import { Derivation } from '../../derive/derivation.ts';
import type { Authenticate } from '../../push/authenticate.ts';
import { Publisher } from '../../push/publisher.ts';
import { httpDebug } from './http-debug.ts';

/** A cluster where a token is the namespace of its account. */
const authenticate: Authenticate = async (metadata) => {
  const [, namespace] = /^Bearer (.*)$/.exec(String(metadata.get('authorization')[0] ?? '')) ?? [];
  if (namespace === undefined) return ok(null);
  const identity = { trustDomain: 'cluster.local', namespace, serviceAccount: 'reader' };
  return ok({ ...identity, identity, pod: null });
};

const derivation = new Derivation(SETTINGS, () => undefined);
const publisher = new Publisher(derivation);
publisher.publish();
const source = { publisher, discovery: { connections: [] }, settings: {}, derivation };
const DEPS = { source, authenticate, systemNamespace: 'istio-system' };

function statusFor(path: string, authorization: string | undefined, remoteAddress: string) {
  const request = { path, search: '', authorization, remoteAddress };
  return httpDebug(request, DEPS).then((answer) => answer?.status);
}

test.for([
  { who: 'nobody', token: undefined, mesh: 401, proxies: 401 },
  { who: 'a tenant', token: 'Bearer shop', mesh: 403, proxies: 200 },
  { who: 'an operator', token: 'Bearer istio-system', mesh: 200, proxies: 200 },
])('$who asks from another machine', async ({ token, mesh, proxies }) => {
  expect(await statusFor('/debug/configz', token, '10.0.0.9')).toBe(mesh);
  expect(await statusFor('/debug/syncz', token, '10.0.0.9')).toBe(proxies);
});

test('whoever is on the same machine needs no token, as through a port-forward', async () => {
  expect(await statusFor('/debug/configz', undefined, '127.0.0.1')).toBe(200);
});
