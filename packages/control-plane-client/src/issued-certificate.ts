import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';

/** A signed certificate with its key. PEM; `roots` is the trust bundle the authority sent along. */
export interface IssuedCertificate {
  readonly key: string;
  /** Leaf and intermediates. */
  readonly chain: string;
  readonly roots: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/**
 * Throws, with the reason, unless TLS takes the certificate with its key and its chain leads to one of the roots. What
 * serves connections must never be the first to try it.
 */
export function assertUsable({ key, chain, roots }: IssuedCertificate): void {
  try {
    const certificates = certificatesIn(chain);
    const leaf = certificates[0];
    if (leaf === undefined) throw new Error('the chain holds no certificate');
    if (!leaf.checkPrivateKey(createPrivateKey(key))) throw new Error('it is not for our key');
    createSecureContext({ key, cert: chain, ca: roots, minVersion: 'TLSv1.3' });
    assertLeadsTo(certificatesIn(roots), certificates);
  } catch (error) {
    throw new Error(`unusable certificate from CA: ${(error as Error).message}`, { cause: error });
  }
}

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function certificatesIn(pem: string): X509Certificate[] {
  return (pem.match(PEM) ?? []).map((text) => new X509Certificate(text));
}

function assertLeadsTo(roots: readonly X509Certificate[], chain: readonly X509Certificate[]): void {
  let last = chain[0]!;
  for (;;) {
    if (roots.some((root) => isIssuedBy(last, root) || root.raw.equals(last.raw))) return;
    const issuer = chain.find((candidate) => candidate !== last && isIssuedBy(last, candidate));
    if (issuer === undefined || issuer === chain[0])
      throw new Error('it leads to none of the roots');
    last = issuer;
  }
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
