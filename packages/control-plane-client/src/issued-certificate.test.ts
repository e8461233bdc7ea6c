import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestAuthority } from '../../../test/fixtures/certificates.ts';
import { assertUsable } from './issued-certificate.ts';

const IDENTITY = 'spiffe://cluster.local/ns/shop/sa/web';
const TIMES = { notBeforeMs: 0, notAfterMs: 0 };

let authority: TestAuthority;
beforeAll(() => {
  authority = new TestAuthority();
});
afterAll(() => {
  authority[Symbol.dispose]();
});

/** What no TLS takes: an RSA key of 1024 bits, which is its own root. */
function weakCertificate() {
  const folder = mkdtempSync(join(tmpdir(), 'weak-'));
  const file = (name: string): string => join(folder, name);
  const files = ['-keyout', file('key'), '-out', file('cert')];
  const args = ['req', '-x509', '-newkey', 'rsa:1024', '-nodes', '-subj', '/O=weak', ...files];
  execFileSync('openssl', args, { stdio: 'ignore' });
  const [key, chain] = ['key', 'cert'].map((name) => readFileSync(file(name), 'utf8'));
  rmSync(folder, { recursive: true });
  return { key: key!, chain: chain!, roots: chain! };
}

test('a certificate that leads to a root of the bundle is usable', () => {
  using other = new TestAuthority();
  const good = authority.issue(IDENTITY);
  assertUsable({ ...good, ...TIMES });
  assertUsable({ ...good, ...TIMES, roots: `${other.rootPem}\n${good.roots}` });
  assertUsable({ ...good, ...TIMES, chain: `${good.chain}\n${good.roots}` });
  expect(() => assertUsable({ ...good, ...TIMES, roots: other.rootPem })).toThrow(
    'leads to none of the roots',
  );
});

test.for([
  {
    what: 'for another key',
    change: () => ({ key: authority.issue(IDENTITY).key }),
    says: 'not for our key',
  },
  { what: 'that is no PEM', change: () => ({ chain: 'nonsense' }), says: 'holds no certificate' },
  { what: 'with a key that TLS refuses', change: weakCertificate, says: 'too small' },
  {
    what: 'with roots that are none',
    change: () => ({ roots: 'nonsense' }),
    says: 'none of the roots',
  },
])('a certificate $what is refused before anybody uses it', ({ change, says }) => {
  const certificate = { ...authority.issue(IDENTITY), ...TIMES, ...change() };
  expect(() => assertUsable(certificate)).toThrow(`unusable certificate from CA`);
  expect(() => assertUsable(certificate)).toThrow(says);
});
