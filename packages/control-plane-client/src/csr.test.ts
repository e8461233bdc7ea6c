import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { expect, test } from 'vitest';
import { createSigningRequest } from './csr.ts';

test('openssl accepts the request and finds nothing in it but the identity (C150)', async () => {
  const { csr, key } = await createSigningRequest('spiffe://cluster.local/ns/shop/sa/web');
  const input = { input: csr, encoding: 'utf8' } as const;
  const text = execFileSync('openssl', ['req', '-noout', '-text', '-verify'], {
    ...input,
    stdio: 'pipe',
  });
  expect(text).toContain('Version: 1 (0x0)');
  expect(text).toMatch(/Subject: *\n/);
  expect(text).toMatch(
    /Subject Alternative Name: critical\s+URI:spiffe:\/\/cluster.local\/ns\/shop\/sa\/web/,
  );
  expect(text).toContain('ecdsa-with-SHA256');
  expect(createPrivateKey(key).asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
});
