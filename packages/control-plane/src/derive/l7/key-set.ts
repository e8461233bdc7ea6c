/** JSON Web Key Sets that proxies verify tokens with. */

import type { JsonWebKeyInput } from 'node:crypto';
import { createPublicKey, createSecretKey } from 'node:crypto';

/**
 * Stands for keys that are not to be had: the private half of this one was thrown away, so no token is signed with it,
 * and requests without a token still pass (spec l7 6.3).
 */
const NOBODYS_KEY_SET: string = JSON.stringify({
  keys: [
    {
      e: 'AQAB',
      kid: '',
      kty: 'RSA',
      n: 'qMq0swozlnygAOEKrIPK521A-AA-8iUXGJ9NGBowqmpB1K_CdctQItcym-3kvC3tgHrB1luC3Ndn72YYXZVOWPs6Q5okrH78_NSq1d-fstqNSgIXhbE_zv4Ej21y1-Fcrq8sNb7Gs0hVya2lLrG0oTAJ8nfSUV_C1eSx-1clG_fGyATDwSXYmcZsBARymba8HKyQDFg_NhUEAtFyiYU9maPiI4pvw250EknA-YINgKITX5D-nnfV47dG29qwJuvuYzhI_Hrbq2MF1_jZztlXviad5hov6fD607uczg7ptTwY2XDpAQaGpDhK4RPm_z7MtLitIvUHvH8pvtlbAPkPYw',
    },
  ],
});

/** The set as it is; nobody's where it has no key that a proxy could use, for it would refuse all of its configuration. */
export function usableKeySet(text: string): string {
  return keysOf(text).some(isUsable) ? text : NOBODYS_KEY_SET;
}

/** None if the text is no key set. */
function keysOf(text: string): readonly unknown[] {
  try {
    const set: unknown = JSON.parse(text);
    const { keys } = (set ?? {}) as { keys?: unknown };
    return Array.isArray(keys) ? keys : [];
  } catch {
    return [];
  }
}

/** Node knows others too, which proxies do not. */
const KINDS: readonly unknown[] = ['EC', 'OKP', 'RSA', 'oct'];
const CURVES: readonly unknown[] = ['P-256', 'P-384', 'P-521', 'Ed25519'];

function isUsable(key: unknown): boolean {
  const { kty, crv, k } = (key ?? {}) as Readonly<Record<string, unknown>>;
  if (!KINDS.includes(kty) || (crv !== undefined && !CURVES.includes(crv))) return false;
  try {
    if (kty !== 'oct') createPublicKey({ key, format: 'jwk' } as JsonWebKeyInput);
    else if (typeof k === 'string') createSecretKey(Buffer.from(k, 'base64url'));
    else return false;
    return true;
  } catch {
    return false;
  }
}
