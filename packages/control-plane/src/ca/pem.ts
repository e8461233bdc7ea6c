/** PEM (RFC 7468): bundles of certificates and of revocation lists. */
import { X509Certificate } from 'node:crypto';
import { fromDer, itemsOf } from './der.ts';

/** The certificates of a bundle, each ending in a newline; what is between them is left out. */
export function certificatesIn(bundle: string): string[] {
  return blocksIn(bundle, 'CERTIFICATE');
}

/** Certificates of several bundles, each once; the text of the first one is kept as it is. */
export function joinBundles(first: string, ...others: readonly string[]): string {
  const known = new Set(certificatesIn(first).map(fingerprintOf));
  const added = others.flatMap(certificatesIn).filter((certificate) => {
    const fingerprint = fingerprintOf(certificate);
    if (known.has(fingerprint)) return false;
    known.add(fingerprint);
    return true;
  });
  return added.length === 0 ? first : [first.trimEnd(), '\n', ...added].join('');
}

/** Whether the bundle has each certificate of the other one; not if one of them cannot be read. */
export function hasCertificates(bundle: string, wanted: string): boolean {
  try {
    return joinBundles(bundle, wanted) === bundle;
  } catch {
    return false;
  }
}

/** SHA-256 of the certificate, in hex with colons. */
export function fingerprintOf(certificate: string): string {
  return new X509Certificate(certificate).fingerprint256;
}

/** Whether the text is revocation lists (RFC 5280, 5.1) in PEM, at least one, and each can be read. */
export function areRevocationLists(text: string): boolean {
  const lists = blocksIn(text, 'X509 CRL');
  return lists.length > 0 && lists.every(isRevocationList);
}

/** A list to be signed, the algorithm, the signature. */
function isRevocationList(block: string): boolean {
  try {
    const base64 = block.split('\n').slice(1, -2).join('');
    return itemsOf(fromDer(Buffer.from(base64, 'base64'))).length === 3;
  } catch {
    return false;
  }
}

function blocksIn(text: string, label: string): string[] {
  const blocks = text.match(new RegExp(`-----BEGIN ${label}-----[^-]+-----END ${label}-----`, 'g'));
  return (blocks ?? []).map((block) => `${block.replaceAll('\r', '')}\n`);
}
