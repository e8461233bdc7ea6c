/** The certificate that the control plane shows on its own TLS ports: renewed at half of its life, and when the authority changes. */
import { X509Certificate } from 'node:crypto';
import type { ServerCertificate } from './authority.ts';
import type { MeshAuthority } from './mesh-authority.ts';

/** What a TLS port shows. */
export interface ServerIdentity {
  /** The newest one. */
  readonly current: ServerCertificate;
  /** Called with each one that comes later. */
  subscribe(listener: (certificate: ServerCertificate) => void): void;
}

export class ServingCertificate implements ServerIdentity {
  readonly #authority: MeshAuthority;
  readonly #dnsNames: readonly string[];
  readonly #ttlMs: number;
  readonly #listeners = new Set<(certificate: ServerCertificate) => void>();
  #current: Issued;

  /** `ttlMs` is at most what the authority's own certificate leaves. */
  constructor(authority: MeshAuthority, dnsNames: readonly string[], ttlMs: number) {
    this.#authority = authority;
    this.#dnsNames = dnsNames;
    this.#ttlMs = ttlMs;
    this.#current = this.#issue(new Date());
    authority.subscribe(() => this.#renew(new Date()));
  }

  get current(): ServerCertificate {
    return this.#current.certificate;
  }

  subscribe(listener: (certificate: ServerCertificate) => void): void {
    this.#listeners.add(listener);
  }

  #renew(now: Date): void {
    const { signer, renewAtMs } = this.#current;
    if (signer === this.#authority.signerId && now.getTime() < renewAtMs) return;
    this.#current = this.#issue(now);
    for (const listener of this.#listeners) listener(this.current);
  }

  #issue(now: Date): Issued {
    const certificate = this.#authority.issueServer(this.#dnsNames, this.#ttlMs, now);
    const endsMs = new X509Certificate(certificate.chain).validToDate.getTime();
    const renewAtMs = (now.getTime() + endsMs) / 2;
    return { certificate, renewAtMs, signer: this.#authority.signerId };
  }
}

interface Issued {
  readonly certificate: ServerCertificate;
  readonly renewAtMs: number;
  readonly signer: string;
}
