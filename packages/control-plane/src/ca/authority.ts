/** The mesh's certificate authority: its key, its chain, and the certificates it signs (spec control-plane 4.2, 4.4). */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  X509Certificate,
} from 'node:crypto';
import { err, ok, type Result } from '@aquifer/model';
import { areRevocationLists, certificatesIn, fingerprintOf } from './pem.ts';
import { signCertificate } from './sign.ts';

/** The Secret's keys, in PEM; names as Istio's `istio-ca-secret` and `cacerts` have them. */
export interface AuthorityPem {
  readonly 'ca-cert.pem': string;
  readonly 'ca-key.pem': string;
  /** Roots that clients trust. Default: `ca-cert.pem`. */
  readonly 'root-cert.pem'?: string;
  /** From the signing certificate up to, but without, the root. Default: none. */
  readonly 'cert-chain.pem'?: string;
  /** Certificates that the authorities of the chain have revoked. Default: none. */
  readonly 'ca-crl.pem'?: string;
}

const DAY_MS = 86_400_000;
const ROOT_LIFETIME_MS = 3650 * DAY_MS;
/** Clocks of nodes differ a little: certificates start in the past. */
const BACKDATE_MS = 120_000;

/** When something ends, and what it is. */
export interface Expiry {
  /** `ca-cert.pem`, `cert-chain.pem` or `root-cert.pem`. */
  readonly part: keyof AuthorityPem;
  readonly from: Date;
  readonly to: Date;
}

export class CertificateAuthority {
  readonly #key: KeyObject;
  readonly #certificate: X509Certificate;
  readonly #intermediates: readonly string[];
  /** What it was loaded from. */
  readonly pem: AuthorityPem;
  /** PEM of every root that it says is trusted, its own among them. */
  readonly rootBundle: string;

  private constructor(pem: AuthorityPem, certificate: X509Certificate, key: KeyObject) {
    this.pem = pem;
    this.#key = key;
    this.#certificate = certificate;
    this.rootBundle = pem['root-cert.pem'] ?? pem['ca-cert.pem'];
    const roots = new Set(certificatesIn(this.rootBundle).map(fingerprintOf));
    const chain = certificatesIn(pem['cert-chain.pem'] ?? pem['ca-cert.pem']);
    this.#intermediates = chain.filter((block) => !roots.has(fingerprintOf(block)));
  }

  /** The error says which part of the key material is wrong. */
  static load(pem: AuthorityPem): Result<CertificateAuthority, string> {
    try {
      const certificate = new X509Certificate(pem['ca-cert.pem']);
      const key = createPrivateKey(pem['ca-key.pem']);
      if (!certificate.checkPrivateKey(key))
        return err('ca-key.pem does not belong to ca-cert.pem');
      if (!certificate.ca) return err('ca-cert.pem is not a certificate authority');
      if (certificate.validToDate.getTime() < Date.now())
        return err(`ca-cert.pem ended on ${certificate.validToDate.toISOString()}`);
      if (!leadsToRoot(certificate, pem))
        return err('ca-cert.pem does not lead to a certificate of root-cert.pem');
      const revoked = pem['ca-crl.pem'];
      if (revoked !== undefined && !areRevocationLists(revoked))
        return err('ca-crl.pem is not certificate revocation lists in PEM');
      return ok(new CertificateAuthority(pem, certificate, key));
    } catch (error) {
      return err(`ca-cert.pem or ca-key.pem cannot be read: ${(error as Error).message}`);
    }
  }

  /** When the signing certificate ends; nothing it signs lives longer. */
  get notAfter(): Date {
    return this.#certificate.validToDate;
  }

  /** SHA-256 of the signing certificate, in hex with colons. */
  get fingerprint(): string {
    return this.#certificate.fingerprint256;
  }

  /** Whether the certificate, or one above it, is among these roots or was signed by one of them. */
  leadsTo(rootBundle: string): boolean {
    return leadsToRoot(this.#certificate, { ...this.pem, 'root-cert.pem': rootBundle });
  }

  /** Lifetimes of the signing certificate, of those above it, and of the roots. */
  get expiries(): readonly Expiry[] {
    const expiryOf =
      (part: Expiry['part']) =>
      (block: string): Expiry => {
        const { validFromDate: from, validToDate: to } = new X509Certificate(block);
        return { part, from, to };
      };
    return [
      { part: 'ca-cert.pem', from: this.#certificate.validFromDate, to: this.notAfter },
      ...this.#intermediates.map(expiryOf('cert-chain.pem')),
      ...certificatesIn(this.rootBundle).map(expiryOf('root-cert.pem')),
    ];
  }

  /** PEM of the same root, valid anew: same key, same name. Null for an authority below another one. */
  renewedRoot(now: Date): string | null {
    if (!this.#certificate.checkIssued(this.#certificate)) return null;
    const [, organization = ''] = /^O=(.*)$/m.exec(this.#certificate.subject) ?? [];
    return rootCertificate(this.#key, organization, now);
  }

  /**
   * A certificate for workloads: SPIFFE URIs, for both ends of TLS. `ttlMs` counts from `now`. The chain is the leaf,
   * then each intermediate.
   */
  signWorkload(
    publicKey: KeyObject,
    uris: readonly string[],
    ttlMs: number,
    now: Date = new Date(),
  ): string[] {
    const leaf = this.#sign({ publicKey, uris, dnsNames: [], ttlMs, now });
    return [leaf, ...this.#intermediates];
  }

  /** A key and a certificate for the control plane's own TLS ports. `ttlMs` counts from `now`. */
  issueServer(dnsNames: readonly string[], ttlMs: number, now: Date): ServerCertificate {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const leaf = this.#sign({ publicKey, uris: [], dnsNames, ttlMs, now });
    return {
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      chain: [leaf, ...this.#intermediates].join(''),
    };
  }

  #sign(leaf: {
    readonly publicKey: KeyObject;
    readonly uris: readonly string[];
    readonly dnsNames: readonly string[];
    readonly ttlMs: number;
    readonly now: Date;
  }): string {
    const notAfterMs = Math.min(leaf.now.getTime() + leaf.ttlMs, this.notAfter.getTime());
    return signCertificate(
      {
        publicKey: leaf.publicKey,
        organization: null,
        uris: leaf.uris,
        dnsNames: leaf.dnsNames,
        notBefore: new Date(leaf.now.getTime() - BACKDATE_MS),
        notAfter: new Date(notAfterMs),
        isAuthority: false,
      },
      { certificate: this.#certificate.raw, key: this.#key },
    );
  }
}

/** PEM: a key, and its certificate with those between it and the root. */
export interface ServerCertificate {
  readonly key: string;
  readonly chain: string;
}

/** Key material of a new self-signed root: ECDSA P-256 (ADR 0011), ten years, O = trust domain. */
export function createSelfSignedRoot(trustDomain: string, now: Date = new Date()): AuthorityPem {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    'ca-cert.pem': rootCertificate(privateKey, trustDomain, now),
    'ca-key.pem': privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function rootCertificate(key: KeyObject, organization: string, now: Date): string {
  return signCertificate(
    {
      publicKey: createPublicKey(key),
      organization,
      uris: [],
      dnsNames: [],
      notBefore: new Date(now.getTime() - BACKDATE_MS),
      notAfter: new Date(now.getTime() + ROOT_LIFETIME_MS),
      isAuthority: true,
    },
    { certificate: null, key },
  );
}

/** Whether the signatures from the certificate, over the chain, end at a trusted root. */
function leadsToRoot(certificate: X509Certificate, pem: AuthorityPem): boolean {
  const certificatesOf = (bundle: string): X509Certificate[] =>
    certificatesIn(bundle).map((block) => new X509Certificate(block));
  const roots = certificatesOf(pem['root-cert.pem'] ?? pem['ca-cert.pem']);
  const unused = new Set(certificatesOf(pem['cert-chain.pem'] ?? ''));
  let last: X509Certificate | undefined = certificate;
  while (last !== undefined) {
    const lower: X509Certificate = last;
    const signedLower = (upper: X509Certificate): boolean =>
      lower.checkIssued(upper) && lower.verify(upper.publicKey);
    if (roots.some((root) => root.raw.equals(lower.raw) || signedLower(root))) return true;
    last = [...unused].find(signedLower);
    if (last !== undefined) unused.delete(last);
  }
  return false;
}
