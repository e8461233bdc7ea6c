/** The pieces of ASN.1 that certificates are made of, in DER (X.690), over node-forge. */
import forge from 'node-forge';

const { asn1 } = forge;
type Asn1 = forge.asn1.Asn1;

const UNIVERSAL = asn1.Class.UNIVERSAL;

export function sequence(...items: Asn1[]): Asn1 {
  return asn1.create(UNIVERSAL, asn1.Type.SEQUENCE, true, items);
}

export function set(...items: Asn1[]): Asn1 {
  return asn1.create(UNIVERSAL, asn1.Type.SET, true, items);
}

export function objectId(dotted: string): Asn1 {
  return asn1.create(UNIVERSAL, asn1.Type.OID, false, asn1.oidToDer(dotted).getBytes());
}

/** A non-negative integer from its bytes, big-endian, without a leading zero byte. */
export function integer(bytes: Uint8Array): Asn1 {
  const needsZero = (bytes[0] ?? 0) >= 0x80;
  const content = needsZero ? Buffer.concat([Buffer.of(0), bytes]) : Buffer.from(bytes);
  return asn1.create(UNIVERSAL, asn1.Type.INTEGER, false, content.toString('latin1'));
}

export function boolean(value: boolean): Asn1 {
  return asn1.create(UNIVERSAL, asn1.Type.BOOLEAN, false, value ? '\xff' : '\x00');
}

export function nothing(): Asn1 {
  return asn1.create(UNIVERSAL, asn1.Type.NULL, false, '');
}

export function utf8(text: string): Asn1 {
  return asn1.create(UNIVERSAL, asn1.Type.UTF8, false, Buffer.from(text).toString('latin1'));
}

export function octets(bytes: Uint8Array): Asn1 {
  return asn1.create(
    UNIVERSAL,
    asn1.Type.OCTETSTRING,
    false,
    Buffer.from(bytes).toString('latin1'),
  );
}

/** `unusedBits` of the last byte do not count. */
export function bits(bytes: Uint8Array, unusedBits = 0): Asn1 {
  const content = Buffer.concat([Buffer.of(unusedBits), bytes]).toString('latin1');
  return asn1.create(UNIVERSAL, asn1.Type.BITSTRING, false, content);
}

/** UTCTime until 2049, GeneralizedTime after (RFC 5280, 4.1.2.5); to the second. */
export function time(date: Date): Asn1 {
  const digits = date.toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return date.getUTCFullYear() < 2050
    ? asn1.create(UNIVERSAL, asn1.Type.UTCTIME, false, `${digits.slice(2)}Z`)
    : asn1.create(UNIVERSAL, asn1.Type.GENERALIZEDTIME, false, `${digits}Z`);
}

/** A context-specific tag around items (`EXPLICIT`). */
export function tagged(tag: number, ...items: Asn1[]): Asn1 {
  return asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, true, items);
}

/** A context-specific tag instead of a string's own (`IMPLICIT`). */
export function taggedBytes(tag: number, bytes: Uint8Array): Asn1 {
  return asn1.create(
    asn1.Class.CONTEXT_SPECIFIC,
    tag,
    false,
    Buffer.from(bytes).toString('latin1'),
  );
}

export function toDer(value: Asn1): Buffer {
  return Buffer.from(asn1.toDer(value).getBytes(), 'latin1');
}

/** Throws on anything that is not one DER value; bit strings stay bytes. */
export function fromDer(bytes: Uint8Array): Asn1 {
  return asn1.fromDer(Buffer.from(bytes).toString('latin1'), {
    strict: true,
    parseAllBytes: true,
    decodeBitStrings: false,
  } as never);
}

/** The items of a constructed value; throws if it is primitive. */
export function itemsOf(value: Asn1 | undefined): readonly Asn1[] {
  if (value === undefined || !Array.isArray(value.value))
    throw new Error('expected an ASN.1 sequence');
  return value.value;
}

/** The content of a primitive value; throws if it is constructed. */
export function bytesOf(value: Asn1 | undefined): Buffer {
  if (value === undefined || typeof value.value !== 'string')
    throw new Error('expected an ASN.1 string');
  return Buffer.from(value.value, 'latin1');
}

/** Dotted text of an object identifier. */
export function objectIdOf(value: Asn1 | undefined): string {
  return asn1.derToOid(forge.util.createBuffer(bytesOf(value).toString('latin1')));
}
