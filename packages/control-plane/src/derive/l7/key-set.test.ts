import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { usableKeySet } from './key-set.ts';

function keySet(...keys: readonly unknown[]): string {
  return JSON.stringify({ keys });
}

const GOOD = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
const OF_OTHER_KIND = generateKeyPairSync('ml-dsa-44').publicKey.export({ format: 'jwk' });

test.for([
  keySet(OF_OTHER_KIND),
  keySet({ kty: 'oct' }),
  keySet({ kty: 'oct', k: 5 }),
  keySet(null),
  'null',
  '[',
])('nobody’s keys stand for a set without one that proxies know: %.60s (L155)', (text) => {
  expect(usableKeySet(text)).not.toBe(text);
});

test('beside one that proxies know, others do no harm (L155)', () => {
  const text = keySet(null, OF_OTHER_KIND, GOOD);
  expect(usableKeySet(text)).toBe(text);
});
