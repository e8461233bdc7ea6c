/** The mesh's certificate authority: its key, its chain, and the certificates it signs (spec control-plane 4.2, 4.4). */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  X509Certificate,
} from 'node:crypto';
import { err, ok, type Result } from '@aquifer/model';
import { signCertificate } from './sign.ts';

/** The Secret's keys, in PEM; names as Istio's `istio-ca-secret` and `cacerts` have them. */
export interface AuthorityPem {
  readonly 'ca-cert.pem': string;
  readonly 'ca-key.pem': string;
  /** Roots that clients trust. Default: `ca-cert.pem`. */
  readonly 'root-cert.pem'?: string;
  /** From the signing certificate up to, but without, the root. Default: none. */
  readonly 'cert-chain.pem'?: string;
}

const DAY_MS = 86_400_000;
const ROOT_LIFETIME_MS = 3650 * DAY_MS;
/** Clocks of nodes differ a little: certificates start in the past. */
const BACKDATE_MS = 120_000;

export class CertificateAuthority {
  readonly #key: KeyObject;
  readonly #certificate: X509Certificate;
  readonly #intermediates: readonly string[];
  /** PEM of every trusted root: what `root-cert.pem` of `istio-ca-root-cert` holds. */
  readonly rootBundle: string;

  private constructor(pem: AuthorityPem, certificate: X509Certificate, key: KeyObject) {
    this.#key = key;
    this.#certificate = certificate;
    this.rootBundle = pem['root-cert.pem'] ?? pem['ca-cert.pem'];
    const roots = new Set(splitPem(this.rootBundle).map(fingerprint));
    const chain = splitPem(pem['cert-chain.pem'] ?? pem['ca-cert.pem']);
    this.#intermediates = chain.filter((block) => !roots.has(fingerprint(block)));
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
      return ok(new CertificateAuthority(pem, certificate, key));
    } catch (error) {
      return err(`ca-cert.pem or ca-key.pem cannot be read: ${(error as Error).message}`);
    }
  }

  /** When the signing certificate ends; nothing it signs lives longer. */
  get notAfter(): Date {
    return this.#certificate.validToDate;
  }

  /**
   * A certificate for workloads: SPIFFE URIs, for both ends of TLS. `ttlMs` counts from `now`. The chain is the leaf,
   * then each intermediate, then all roots as one element.
   */
  signWorkload(
    publicKey: KeyObject,
    uris: readonly string[],
    ttlMs: number,
    now: Date = new Date(),
  ): string[] {
    const leaf = this.#sign({ publicKey, uris, dnsNames: [], ttlMs, now });
    return [leaf, ...this.#intermediates, this.rootBundle];
  }

  /** A key and a certificate for the control plane's own TLS port; valid as long as the signer. */
  issueServer(dnsNames: readonly string[]): { readonly key: string; readonly chain: string } {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const now = new Date();
    const ttlMs = this.notAfter.getTime() - now.getTime();
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

/** Key material of a new self-signed root: ECDSA P-256 (ADR 0011), ten years, O = trust domain. */
export function createSelfSignedRoot(trustDomain: string, now: Date = new Date()): AuthorityPem {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const certificate = signCertificate(
    {
      publicKey: createPublicKey(privateKey),
      organization: trustDomain,
      uris: [],
      dnsNames: [],
      notBefore: new Date(now.getTime() - BACKDATE_MS),
      notAfter: new Date(now.getTime() + ROOT_LIFETIME_MS),
      isAuthority: true,
    },
    { certificate: null, key: privateKey },
  );
  return {
    'ca-cert.pem': certificate,
    'ca-key.pem': privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** Whether the signatures from the certificate, over the chain, end at a trusted root. */
function leadsToRoot(certificate: X509Certificate, pem: AuthorityPem): boolean {
  const certificatesOf = (bundle: string): X509Certificate[] =>
    splitPem(bundle).map((block) => new X509Certificate(block));
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

/** The certificates of a bundle, each ending in a newline. */
function splitPem(bundle: string): string[] {
  const blocks = bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => `${block}\n`);
}

function fingerprint(pem: string): string {
  return new X509Certificate(pem).fingerprint256;
}
