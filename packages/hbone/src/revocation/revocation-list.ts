import { type KeyObject, verify, type X509Certificate } from 'node:crypto';
import { DER, type DerElement, DerReader, hexValue } from './der.ts';

/** A certificate as revocation lists name it: the DER of its issuer's name, and its serial number, hexadecimal. */
export interface CertificateName {
  readonly issuer: string;
  readonly serial: string;
}

/** What one authority has revoked (RFC 5280 section 5). Survives structured cloning. */
export interface RevocationList {
  readonly issuer: string;
  readonly serials: ReadonlySet<string>;
  /** What the authority signed, and how. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
  /** Null for Ed25519, which does its own. */
  readonly digest: string | null;
}

/** Object identifiers of signature algorithms, and the digest of each. */
const ALGORITHMS: ReadonlyMap<string, string | null> = new Map([
  ['2a8648ce3d040302', 'sha256'],
  ['2a8648ce3d040303', 'sha384'],
  ['2a8648ce3d040304', 'sha512'],
  ['2a864886f70d01010b', 'sha256'],
  ['2a864886f70d01010c', 'sha384'],
  ['2a864886f70d01010d', 'sha512'],
  ['2b6570', null],
]);
/** Says which kinds of certificates a list is about: those it names are revoked all the same. */
const ISSUING_DISTRIBUTION_POINT = '551d1c';
const PEM_START = '-----BEGIN';
const PEM_LIST = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/g;
const PEM_LIST_START = '-----BEGIN X509 CRL-----';

/**
 * The lists in a file: PEM, of which other blocks are skipped, or one list as DER; none in an empty file. Throws an
 * `Error` if one cannot be read.
 */
export function parseRevocationLists(file: Buffer): readonly RevocationList[] {
  if (file.length === 0) return [];
  if (!file.subarray(0, PEM_START.length).equals(Buffer.from(PEM_START))) return [parseList(file)];
  const text = file.toString('latin1');
  const blocks = [...text.matchAll(PEM_LIST)];
  if (blocks.length !== text.split(PEM_LIST_START).length - 1) {
    throw new Error('a block of PEM is not whole');
  }
  return blocks.map(([, base64 = '']) => parseList(Buffer.from(base64, 'base64')));
}

function parseList(bytes: Buffer): RevocationList {
  const outer = DerReader.whole(bytes);
  const list = outer.enter(DER.sequence);
  if (!outer.isAtEnd) throw new Error('something follows the list');
  const signed = list.next(DER.sequence);
  const algorithm = hexValue(bytes, list.enter(DER.sequence).next(DER.objectId));
  const digest = ALGORITHMS.get(algorithm);
  if (digest === undefined) throw new Error(`signature algorithm ${algorithm} is not known`);
  const signature = list.next(DER.bitString);
  const content = new DerReader(bytes, signed);
  content.maybe(DER.integer);
  content.next(DER.sequence);
  const issuer = content.next(DER.sequence);
  content.next(DER.utcTime, DER.generalizedTime);
  content.maybe(DER.utcTime, DER.generalizedTime);
  const revoked = content.maybe(DER.sequence);
  const extensions = content.maybe(DER.explicit0);
  if (extensions !== null) assertKnown(bytes, extensions);
  return {
    issuer: hexValue(bytes, issuer),
    serials: revoked === null ? new Set() : readSerials(bytes, revoked),
    // Copies: a view would take the whole file along to another thread.
    signed: Uint8Array.from(bytes.subarray(signed.at, signed.end)),
    // The first byte counts unused bits, of which there are none.
    signature: Uint8Array.from(bytes.subarray(signature.value + 1, signature.end)),
    digest,
  };
}

function readSerials(bytes: Buffer, revoked: DerElement): Set<string> {
  const serials = new Set<string>();
  const entries = new DerReader(bytes, revoked);
  while (!entries.isAtEnd) {
    const entry = entries.enter(DER.sequence);
    serials.add(hexValue(bytes, entry.next(DER.integer)));
    entry.next(DER.utcTime, DER.generalizedTime);
    const extensions = entry.maybe(DER.sequence);
    if (extensions !== null) assertNoneCritical(new DerReader(bytes, extensions), bytes);
  }
  return serials;
}

/** A list that changes another (delta), or is of several authorities (indirect), means something else. */
function assertKnown(bytes: Buffer, extensions: DerElement): void {
  assertNoneCritical(new DerReader(bytes, extensions).enter(DER.sequence), bytes, [
    ISSUING_DISTRIBUTION_POINT,
  ]);
}

function assertNoneCritical(
  extensions: DerReader,
  bytes: Buffer,
  known: readonly string[] = [],
): void {
  while (!extensions.isAtEnd) {
    const extension = extensions.enter(DER.sequence);
    const id = hexValue(bytes, extension.next(DER.objectId));
    const isCritical = extension.maybe(DER.boolean) !== null;
    if (isCritical && !known.includes(id)) throw new Error(`extension ${id} is not known`);
  }
}

/** Whether the holder of the key has signed the list: names of authorities are not unique. */
export function isSignedBy(list: RevocationList, key: KeyObject): boolean {
  try {
    return verify(list.digest, list.signed, key, list.signature);
  } catch {
    // A key of another kind than the signature's.
    return false;
  }
}

/** How lists name the certificate; null if its DER cannot be read. */
export function nameOf({ raw }: X509Certificate): CertificateName | null {
  try {
    const content = DerReader.whole(raw).enter(DER.sequence).enter(DER.sequence);
    content.maybe(DER.explicit0);
    const serial = hexValue(raw, content.next(DER.integer));
    content.next(DER.sequence);
    return { issuer: hexValue(raw, content.next(DER.sequence)), serial };
  } catch {
    return null;
  }
}
