import type { X509Certificate } from 'node:crypto';
import { formatIdentity, type Identity, parseIdentity } from '@aquifer/model';

/** SPIFFE identities among the certificate's URI subject alternative names; other names are skipped. */
export function spiffeIdentities(certificate: X509Certificate): Identity[] {
  return uriNames(certificate.subjectAltName ?? '')
    .map(parseIdentity)
    .filter((identity) => identity !== null);
}

/**
 * Splits Node's text form, `DNS:a, URI:"b, c"`: a name that could be confused with the separator comes as a JSON
 * string, so a comma inside a name cannot forge a second one.
 */
function uriNames(text: string): string[] {
  const names: string[] = [];
  const pattern = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)/gy;
  for (const [, type, value] of text.matchAll(pattern)) {
    if (type !== 'URI' || value === undefined) continue;
    names.push(value.startsWith('"') ? (JSON.parse(value) as string) : value);
  }
  return names;
}

/** Trusts a peer that presents one of the SPIFFE URIs (spec ztunnel 2.1); an empty list trusts nobody. */
export function expectSans(
  expected: readonly string[],
): (presented: readonly Identity[]) => string | null {
  return (presented) => {
    const got = presented.map(formatIdentity);
    if (got.some((san) => expected.includes(san))) return null;
    return `identity verification error: peer did not present the expected SAN (${expected.join(',')}), got ${got.join(',')}`;
  };
}
