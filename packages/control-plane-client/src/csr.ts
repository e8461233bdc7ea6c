import { createSign, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import forge from 'node-forge';

const { asn1 } = forge;
const { Class, Type } = asn1;

const OID_EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const OID_SUBJECT_ALT_NAME = '2.5.29.17';
const OID_ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
/** GeneralName [6] uniformResourceIdentifier, RFC 5280 4.2.1.6. */
const GENERAL_NAME_URI = 6;

const generate = promisify(generateKeyPair);

/** A request for a certificate, and the key it is for. Both PEM; the key is PKCS#8. */
export interface SigningRequest {
  readonly csr: string;
  readonly key: string;
}

/**
 * A fresh P-256 key and a PKCS#10 request (RFC 2986) with an empty subject and one critical extension: the identity
 * as subject alternative name (spec ztunnel 6.1).
 */
export async function createSigningRequest(spiffeUri: string): Promise<SigningRequest> {
  const { publicKey, privateKey } = await generate('ec', { namedCurve: 'prime256v1' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const info = sequence([
    integer(0),
    sequence([]),
    asn1.fromDer(spki.toString('binary')),
    context(0, [
      sequence([oid(OID_EXTENSION_REQUEST), set([sequence([subjectAltName(spiffeUri)])])]),
    ]),
  ]);
  const infoDer = Buffer.from(asn1.toDer(info).getBytes(), 'binary');
  const signature = createSign('sha256').update(infoDer).sign(privateKey);
  const request = sequence([
    info,
    sequence([oid(OID_ECDSA_WITH_SHA256)]),
    asn1.create(Class.UNIVERSAL, Type.BITSTRING, false, `\0${signature.toString('binary')}`),
  ]);
  const der = Buffer.from(asn1.toDer(request).getBytes(), 'binary');
  return {
    csr: pem('CERTIFICATE REQUEST', der),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}

function subjectAltName(uri: string): forge.asn1.Asn1 {
  const names = sequence([
    asn1.create(Class.CONTEXT_SPECIFIC, GENERAL_NAME_URI as forge.asn1.Type, false, uri),
  ]);
  return sequence([
    oid(OID_SUBJECT_ALT_NAME),
    asn1.create(Class.UNIVERSAL, Type.BOOLEAN, false, '\xff'),
    asn1.create(Class.UNIVERSAL, Type.OCTETSTRING, false, asn1.toDer(names).getBytes()),
  ]);
}

function sequence(children: forge.asn1.Asn1[]): forge.asn1.Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, children);
}

function set(children: forge.asn1.Asn1[]): forge.asn1.Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SET, true, children);
}

function context(tag: number, children: forge.asn1.Asn1[]): forge.asn1.Asn1 {
  return asn1.create(Class.CONTEXT_SPECIFIC, tag as forge.asn1.Type, true, children);
}

function integer(value: number): forge.asn1.Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.INTEGER, false, String.fromCharCode(value));
}

function oid(text: string): forge.asn1.Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.OID, false, asn1.oidToDer(text).getBytes());
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
