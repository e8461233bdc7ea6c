import { generateKeyPairSync } from 'node:crypto';
import { JwtProviderSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/jwt_authn/v3_pb';
import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { Provider } from './provider.ts';

const GOOD = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });

function providerWith(...keys: readonly unknown[]): Provider {
  const value = JSON.stringify({ keys });
  const specifier = { case: 'inlineString', value } as const;
  const jwksSourceSpecifier = { case: 'localJwks', value: { specifier } } as const;
  return new Provider(create(JwtProviderSchema, { jwksSourceSpecifier }), 'provider');
}

test.for([null, 5, 'key', [], { kty: 'toString' }, { kty: 'oct', k: 5 }])(
  'what is no key is passed over where there is one: %j',
  (other) => {
    expect(() => providerWith(other)).toThrow('provider.local_jwks: has no key');
    expect(() => providerWith(other, GOOD)).not.toThrow();
  },
);
