/** What is accepted as a certificate signing request (spec control-plane 4.2). */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { err, ok, type Result } from '@aquifer/model';
import { bytesOf, fromDer, itemsOf, objectIdOf, toDer } from './der.ts';
import { isSignedBy } from './signature.ts';

const MIN_RSA_BITS = 2048;
/** P-256, P-384 and P-521: the curves of TLS 1.3 signatures (RFC 8446, 4.2.3). */
const CURVES: readonly string[] = ['prime256v1', 'secp384r1', 'secp521r1'];

/**
 * The public key of a PKCS #10 request in PEM whose self-signature holds. Subject and names in it are ignored: the
 * caller's identity decides what the certificate says. The error is for people and for the gRPC status.
 */
export function publicKeyOfCsr(pem: string): Result<KeyObject, string> {
  const der = csrBytes(pem);
  if (der === null) return err('the CSR is not one PEM block of type CERTIFICATE REQUEST');
  try {
    const [info, algorithm, signature] = itemsOf(fromDer(der));
    const key = createPublicKey({
      key: toDer(itemsOf(info)[2]!),
      format: 'der',
      type: 'spki',
    });
    const weakness = weaknessOf(key);
    if (weakness !== null) return err(weakness);
    const signed = {
      bytes: toDer(info!),
      // The first byte of a bit string says how many bits of the last one are unused: none.
      signature: bytesOf(signature).subarray(1),
      oid: objectIdOf(itemsOf(algorithm)[0]),
    };
    return isSignedBy(key, signed) ? ok(key) : err('the signature of the CSR does not verify');
  } catch (error) {
    return err(`the CSR cannot be parsed: ${(error as Error).message}`);
  }
}

/** DER of a request in PEM; null if the text is anything else, or more than one. */
export function csrBytes(pem: string): Buffer | null {
  const [, base64] =
    /^\s*-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END (?:NEW )?CERTIFICATE REQUEST-----\s*$/.exec(
      pem,
    ) ?? [];
  return base64 === undefined ? null : Buffer.from(base64, 'base64');
}

function weaknessOf(key: KeyObject): string | null {
  const { modulusLength = MIN_RSA_BITS, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa' && modulusLength < MIN_RSA_BITS) {
    return `the RSA key of the CSR has ${modulusLength} bits, at least ${MIN_RSA_BITS} are needed`;
  }
  if (key.asymmetricKeyType === 'ec' && !CURVES.includes(namedCurve)) {
    return `the curve ${namedCurve} of the CSR's key is none of ${CURVES.join(', ')}`;
  }
  return ['ec', 'rsa', 'ed25519'].includes(key.asymmetricKeyType ?? '')
    ? null
    : `keys of type ${key.asymmetricKeyType} are not supported`;
}
