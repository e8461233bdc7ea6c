/** X.509 certificates (RFC 5280): structures by node-forge, signatures by `node:crypto`. */
import { createHash, type KeyObject, randomBytes } from 'node:crypto';
import type forge from 'node-forge';
import {
  bits,
  boolean,
  bytesOf,
  fromDer,
  integer,
  itemsOf,
  objectId,
  octets,
  sequence,
  set,
  tagged,
  taggedBytes,
  time,
  toDer,
  utf8,
} from './der.ts';
import { algorithmIdentifier, signBytes } from './signature.ts';

type Asn1 = forge.asn1.Asn1;

/** Who signs: the DER of its certificate (null: the new certificate signs itself) and its private key. */
export interface Issuer {
  readonly certificate: Uint8Array | null;
  readonly key: KeyObject;
}

export interface CertificateRequest {
  readonly publicKey: KeyObject;
  /** Organization in the subject; without one the subject is empty and the names are critical. */
  readonly organization: string | null;
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** A certificate that signs others, instead of one for TLS servers and clients. */
  readonly isAuthority: boolean;
}

/** The signed certificate in PEM, ending in a newline. */
export function signCertificate(request: CertificateRequest, issuer: Issuer): string {
  const subject = nameOfSubject(request.organization);
  const algorithm = algorithmIdentifier(issuer.key);
  const signer = issuer.certificate === null ? null : readIssuer(issuer.certificate);
  const spki = request.publicKey.export({ type: 'spki', format: 'der' });
  const body = sequence(
    tagged(0, integer(Buffer.of(2))),
    integer(serialNumber()),
    algorithm,
    signer?.subject ?? subject,
    sequence(time(request.notBefore), time(request.notAfter)),
    subject,
    fromDer(spki),
    tagged(3, sequence(...extensions(request, spki, signer?.keyId ?? null))),
  );
  const signature = signBytes(toDer(body), issuer.key);
  return toPem(toDer(sequence(body, algorithm, bits(signature))));
}

/** DER as one PEM block. */
function toPem(der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString('base64')
    .replace(/(.{64})(?!$)/g, '$1\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

/** 128 bits, positive and without a leading zero byte. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes;
}

function nameOfSubject(organization: string | null): Asn1 {
  if (organization === null) return sequence();
  return sequence(set(sequence(objectId('2.5.4.10'), utf8(organization))));
}

/** Subject and key identifier of a signing certificate: fields 5 and 6 of TBSCertificate v3. */
function readIssuer(certificate: Uint8Array): { readonly subject: Asn1; readonly keyId: Buffer } {
  const fields = itemsOf(itemsOf(fromDer(certificate))[0]);
  const own = itemsOf(fields[7])[0];
  for (const extension of itemsOf(own)) {
    const parts = itemsOf(extension);
    if (toDer(parts[0]!).equals(toDer(objectId(SUBJECT_KEY_ID)))) {
      return { subject: fields[5]!, keyId: bytesOf(fromDer(bytesOf(parts.at(-1)))) };
    }
  }
  return { subject: fields[5]!, keyId: keyIdOf(toDer(fields[6]!)) };
}

const BASIC_CONSTRAINTS = '2.5.29.19';
const KEY_USAGE = '2.5.29.15';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const SUBJECT_ALT_NAME = '2.5.29.17';
const SUBJECT_KEY_ID = '2.5.29.14';
const AUTHORITY_KEY_ID = '2.5.29.35';
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

const DIGITAL_SIGNATURE_AND_KEY_ENCIPHERMENT = bits(Buffer.of(0b1010_0000), 5);
const CERTIFICATE_AND_CRL_SIGN = bits(Buffer.of(0b0000_0110), 1);

function extensions(
  request: CertificateRequest,
  spki: Uint8Array,
  issuerKeyId: Buffer | null,
): Asn1[] {
  const { isAuthority } = request;
  const list = [
    extension(
      KEY_USAGE,
      true,
      isAuthority ? CERTIFICATE_AND_CRL_SIGN : DIGITAL_SIGNATURE_AND_KEY_ENCIPHERMENT,
    ),
    extension(BASIC_CONSTRAINTS, true, isAuthority ? sequence(boolean(true)) : sequence()),
  ];
  if (isAuthority) list.push(extension(SUBJECT_KEY_ID, false, octets(keyIdOf(spki))));
  else {
    const purposes = sequence(objectId(SERVER_AUTH), objectId(CLIENT_AUTH));
    list.push(extension(EXTENDED_KEY_USAGE, false, purposes));
  }
  if (issuerKeyId !== null) {
    list.push(extension(AUTHORITY_KEY_ID, false, sequence(taggedBytes(0, issuerKeyId))));
  }
  const names = [
    ...request.dnsNames.map((name) => taggedBytes(2, Buffer.from(name))),
    ...request.uris.map((uri) => taggedBytes(6, Buffer.from(uri))),
  ];
  if (names.length > 0) {
    list.push(extension(SUBJECT_ALT_NAME, request.organization === null, sequence(...names)));
  }
  return list;
}

function extension(oid: string, critical: boolean, value: Asn1): Asn1 {
  const parts = critical ? [objectId(oid), boolean(true)] : [objectId(oid)];
  return sequence(...parts, octets(toDer(value)));
}

/** SHA-1 of the public key bits (RFC 5280, 4.2.1.2): a name, not a protection. */
function keyIdOf(spki: Uint8Array): Buffer {
  const publicKeyBits = bytesOf(itemsOf(fromDer(spki))[1]).subarray(1);
  return createHash('sha1').update(publicKeyBits).digest();
}
