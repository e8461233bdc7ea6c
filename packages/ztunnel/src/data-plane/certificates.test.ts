import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestAuthority } from '../../../../test/fixtures/certificates.ts';
import { ThreadCertificates } from './certificates.ts';

const RULES = { keyExchange: 'any', allowsTls12: false } as const;
const IDENTITY = 'spiffe://cluster.local/ns/shop/sa/web';

let authority: TestAuthority;
beforeAll(() => {
  authority = new TestAuthority();
});
afterAll(() => {
  authority[Symbol.dispose]();
});

test('a certificate that TLS does not take leaves the one in use, and fails who waits for the first', async () => {
  const certificates = new ThreadCertificates(RULES, () => undefined);
  const bad = { ...authority.issue(IDENTITY), key: authority.issue(IDENTITY).key };
  const waiting = certificates.context(IDENTITY);
  certificates.update(IDENTITY, { kind: 'available', certificate: bad });
  await expect(waiting).rejects.toThrow('identity error');
  const seen: string[] = [];
  const good = authority.issue(IDENTITY);
  certificates.update(IDENTITY, { kind: 'available', certificate: good });
  using _watch = certificates.watch(IDENTITY, ({ chain }) => seen.push(chain));
  const inUse = await certificates.context(IDENTITY);
  certificates.update(IDENTITY, { kind: 'available', certificate: bad });
  expect(await certificates.context(IDENTITY)).toBe(inUse);
  expect(seen).toEqual([good.chain]);
});

test('a forgotten certificate is gone with its key, and who waits for one is told', async () => {
  const asked: string[] = [];
  const certificates = new ThreadCertificates(RULES, (identity) => asked.push(identity));
  const waiting = certificates.context(IDENTITY);
  certificates.update(IDENTITY, { kind: 'forgotten' });
  await expect(waiting).rejects.toMatchObject({
    code: 'ZT_NO_CERTIFICATE',
    message: 'identity error: the identity is no longer needed',
  });
  const certificate = authority.issue(IDENTITY);
  certificates.update(IDENTITY, { kind: 'available', certificate });
  await certificates.context(IDENTITY);
  certificates.update(IDENTITY, { kind: 'forgotten' });
  void certificates.context(IDENTITY).catch(() => undefined);
  expect(asked).toEqual([IDENTITY, IDENTITY]);
});
