import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import type { Asked } from '../../fixtures/http-asking.ts';
import { policyObject } from '../../fixtures/waypoint-process.ts';
import { type Shop, startShop } from './shop.ts';

/** RequestAuthentications of Services, from the object to what a client is told and an origin sees. */

const ISSUER = 'https://issuer.test';
const { publicKey, privateKey } = await generateKeyPair('RS256');
const JWKS = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k' }] });

function signed(claims: Readonly<Record<string, unknown>> = {}, ends = '1h'): Promise<string> {
  return new SignJWT({ sub: 'subject', ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: 'k' })
    .setIssuer(ISSUER)
    .setExpirationTime(ends)
    .sign(privateKey);
}

const valid = await signed();
const expired = await signed({}, '-1h');
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

/** Of the Service that is asked. */
function verifying(rule: object): Parameters<typeof startShop>[0][number] {
  const targetRefs = [{ group: '', kind: 'Service', name: 'cart' }];
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    metadata: { namespace: 'shop', name: 'tokens', uid: 'tokens', generation: 1 },
    spec: { targetRefs, jwtRules: [{ issuer: ISSUER, jwks: JWKS, ...rule }] },
  };
}

const withPrincipals = (...requestPrincipals: readonly string[]) =>
  policyObject({ rules: [{ from: [{ source: { requestPrincipals } }] }] });

async function statuses(shop: Shop, asked: readonly (readonly [string, Asked?])[]) {
  return Promise.all(asked.map(async ([path, how]) => (await shop.ask(path, how)).status));
}

describe('tokens at a waypoint', () => {
  test('a valid one is taken out, its payload passed on (L149), one that has expired is refused (L150), none is needed (L151)', async () => {
    const shop = await startShop([verifying({ outputPayloadToHeader: 'x-payload' })]);
    const passed = await shop.ask('/', bearer(valid));
    expect(passed.status).toBe(200);
    expect(passed.seen?.headers.authorization).toBeUndefined();
    expect(passed.seen?.headers['x-payload']).toEqual([valid.split('.')[1]]);
    const refused = await shop.ask('/', bearer(expired));
    expect([refused.status, refused.body]).toEqual([401, 'Jwt is expired']);
    expect((await shop.ask('/')).status).toBe(200);
  });

  test('they are verified for the Service that is named, and for no other (P123)', async () => {
    const shop = await startShop([verifying({})]);
    const asked = bearer(expired);
    const answers = await Promise.all([
      shop.ask('/', asked),
      shop.ask('/', { ...asked, to: 'v1' }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([401, 200]);
  });

  test('a preflight needs no valid one, another OPTIONS does (L152)', async () => {
    const shop = await startShop([verifying({})]);
    const { headers } = bearer(expired);
    const preflight = { origin: 'https://page.test', 'access-control-request-method': 'POST' };
    expect(
      await statuses(shop, [
        ['/', { method: 'OPTIONS', headers: { ...headers, ...preflight } }],
        ['/', { method: 'OPTIONS', headers }],
      ]),
    ).toEqual([200, 401]);
  });

  test('a policy that asks for a principal refuses who has none (L153)', async () => {
    const anybody = await startShop([verifying({}), withPrincipals('*')]);
    expect(await statuses(anybody, [['/'], ['/', bearer(valid)]])).toEqual([403, 200]);
    const one = await startShop([verifying({}), withPrincipals(`${ISSUER}/subject`)]);
    const other = await signed({ sub: 'else' });
    expect(
      await statuses(one, [
        ['/', bearer(valid)],
        ['/', bearer(other)],
      ]),
    ).toEqual([200, 403]);
  });

  test('a policy may ask for claims, wherever they are nested', async () => {
    const when = [
      { key: 'request.auth.claims[groups]', values: ['admin', 'ops*'] },
      { key: 'request.auth.claims[org][name]', notValues: ['else'] },
    ];
    const shop = await startShop([verifying({}), policyObject({ rules: [{ when }] })]);
    const asked = await Promise.all(
      [
        { groups: ['dev', 'ops-eu'] },
        { groups: 'admin' },
        { groups: ['admin'], org: { name: 'else' } },
        { groups: ['dev'] },
        {},
      ].map(async (claims) => ['/', bearer(await signed(claims))] as const),
    );
    expect(await statuses(shop, asked)).toEqual([200, 200, 403, 403, 403]);
  });

  test('an audience must be one of those that are listed (L154)', async () => {
    const shop = await startShop([verifying({ audiences: ['shop'] })]);
    const forShop = await signed({ aud: ['shop', 'else'] });
    expect(
      await statuses(shop, [
        ['/', bearer(valid)],
        ['/', bearer(forShop)],
      ]),
    ).toEqual([403, 200]);
  });

  test('without keys no token is valid, and who has none passes (L155)', async () => {
    const shop = await startShop([verifying({ jwks: undefined, jwksUri: 'http://127.0.0.1:1/' })]);
    const { status, body } = await shop.ask('/', bearer(valid));
    expect([status, body]).toEqual([401, 'Jwt verification fails']);
    expect((await shop.ask('/')).status).toBe(200);
  });

  test('parameters that hold them are listed, and all of them must be valid (L156)', async () => {
    const shop = await startShop([
      verifying({ fromParams: ['token', 'secondary_token'] }),
      withPrincipals('*'),
    ]);
    expect(
      await statuses(shop, [
        [`/?token=${valid}`],
        [`/?token=${valid}&secondary_token=${valid}`],
        [`/?token=${valid}&secondary_token=${expired}`],
        [`/?else=${valid}`],
      ]),
    ).toEqual([200, 200, 401, 403]);
  });

  test('headers that hold them have a name and a prefix (L157)', async () => {
    const fromHeaders = [{ name: 'X-Jwt-Token', prefix: 'Value ' }];
    const shop = await startShop([verifying({ fromHeaders }), withPrincipals('*')]);
    expect(
      await statuses(shop, [
        ['/', { headers: { 'x-jwt-token': `Value ${valid}` } }],
        ['/', { headers: { 'x-else': `Value ${valid}` } }],
      ]),
    ).toEqual([200, 403]);
  });

  test('a claim becomes a header, whatever the client says (L158)', async () => {
    const outputClaimToHeaders = [{ header: 'x-issuer', claim: 'iss' }];
    const shop = await startShop([verifying({ outputClaimToHeaders })]);
    const { headers } = bearer(valid);
    const said = { ...headers, 'x-issuer': 'me' };
    const { seen } = await shop.ask('/', { headers: said });
    expect(seen?.headers['x-issuer']).toEqual([ISSUER]);
  });
});
