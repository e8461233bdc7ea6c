import type { X509Certificate } from 'node:crypto';
import { formatIdentity, type Identity, parseIdentity } from '@aquifer/model';

/** SPIFFE identities among the certificate's URI subject alternative names; other names are skipped. */
export function spiffeIdentities(certificate: X509Certificate): Identity[] {
  return uriNames(certificate)
    .map(parseIdentity)
    .filter((identity) => identity !== null);
}

/**
 * The certificate's URI subject alternative names. Node's text form is `DNS:a, URI:"b, c"`: a name that could be confused
 * with the separator comes as a JSON string, so a comma inside a name cannot forge a second one.
 */
export function uriNames({ subjectAltName: text = '' }: X509Certificate): string[] {
  const names: string[] = [];
  const pattern = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)/gy;
  for (const [, type, value] of text.matchAll(pattern)) {
    if (type !== 'URI' || value === undefined) continue;
    names.push(value.startsWith('"') ? (JSON.parse(value) as string) : value);
  }
  return names;
}

/** Who a peer has to prove to be: one of the SPIFFE URIs, or of those that begin so. An empty list trusts nobody. */
export interface PeerExpectation {
  readonly match: 'exact' | 'prefix';
  readonly uris: readonly string[];
}

/** Why what a peer presents is not what was expected; null if it is (spec ztunnel 2.1). */
export function unexpected(
  presented: readonly Identity[],
  { match, uris }: PeerExpectation,
): string | null {
  const got = presented.map(formatIdentity);
  const isExpected = (san: string): boolean =>
    match === 'exact' ? uris.includes(san) : uris.some((prefix) => san.startsWith(prefix));
  if (got.some(isExpected)) return null;
  return `identity verification error: peer did not present the expected SAN (${uris.join(',')}), got ${got.join(',')}`;
}
