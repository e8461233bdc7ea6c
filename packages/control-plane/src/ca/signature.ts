import { type KeyObject, sign, verify } from 'node:crypto';
import { nothing, objectId, sequence } from './der.ts';

/** One signature algorithm of X.509: its identifier, and the hash that `node:crypto` wants. */
interface Algorithm {
  readonly oid: string;
  readonly hash: 'sha256' | 'sha384' | 'sha512' | null;
  readonly keyType: 'ec' | 'rsa' | 'ed25519';
}

/** RFC 5758, RFC 4055, RFC 8410; SHA-1 and MD5 are left out on purpose. */
const ALGORITHMS: readonly Algorithm[] = [
  { oid: '1.2.840.10045.4.3.2', hash: 'sha256', keyType: 'ec' },
  { oid: '1.2.840.10045.4.3.3', hash: 'sha384', keyType: 'ec' },
  { oid: '1.2.840.10045.4.3.4', hash: 'sha512', keyType: 'ec' },
  { oid: '1.2.840.113549.1.1.11', hash: 'sha256', keyType: 'rsa' },
  { oid: '1.2.840.113549.1.1.12', hash: 'sha384', keyType: 'rsa' },
  { oid: '1.2.840.113549.1.1.13', hash: 'sha512', keyType: 'rsa' },
  { oid: '1.3.101.112', hash: null, keyType: 'ed25519' },
];

/** The AlgorithmIdentifier that certificates signed with this key carry; throws for keys that cannot sign them. */
export function algorithmIdentifier(key: KeyObject): ReturnType<typeof sequence> {
  const { oid, keyType } = algorithmFor(key);
  return keyType === 'rsa' ? sequence(objectId(oid), nothing()) : sequence(objectId(oid));
}

/** DER signature over the bytes. */
export function signBytes(bytes: Uint8Array, key: KeyObject): Buffer {
  return sign(algorithmFor(key).hash, bytes, key);
}

/** False for an unknown algorithm, for a key of another type, and for a wrong signature. */
export function isSignedBy(
  key: KeyObject,
  signed: { readonly bytes: Uint8Array; readonly signature: Uint8Array; readonly oid: string },
): boolean {
  const algorithm = ALGORITHMS.find(({ oid }) => oid === signed.oid);
  if (algorithm === undefined || algorithm.keyType !== key.asymmetricKeyType) return false;
  return verify(algorithm.hash, signed.bytes, key, signed.signature);
}

function algorithmFor(key: KeyObject): Algorithm {
  const hash = key.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? 'sha384' : 'sha256';
  const found = ALGORITHMS.find(
    (algorithm) =>
      algorithm.keyType === key.asymmetricKeyType && [hash, null].includes(algorithm.hash),
  );
  if (found === undefined)
    throw new Error(`cannot sign with a key of type ${key.asymmetricKeyType}`);
  return found;
}
