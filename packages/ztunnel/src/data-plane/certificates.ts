import {
  type HboneSecureContext,
  hboneSecureContext,
  type TlsRules,
  type WorkloadCertificate,
} from '@aquifer/hbone';
import { toMeshError, ztunnelError } from '../errors.ts';

/** What the certificate manager says about an identity, as it reaches a data-plane thread. */
export type CertificateUpdate =
  | { readonly kind: 'available'; readonly certificate: WorkloadCertificate }
  | { readonly kind: 'unavailable'; readonly error: string }
  /** Nobody on this node has the identity any more. */
  | { readonly kind: 'forgotten' };

/** A certificate that TLS has taken. */
interface InstalledCertificate {
  readonly certificate: WorkloadCertificate;
  readonly context: HboneSecureContext;
}

function noCertificate(reason: string): Error {
  return ztunnelError('ZT_NO_CERTIFICATE', `identity error: ${reason}`);
}

/** Certificates as one thread sees them; what is missing is asked for once. */
export class ThreadCertificates {
  readonly #rules: TlsRules;
  readonly #ask: (identity: string) => void;
  readonly #installed = new Map<string, InstalledCertificate>();
  readonly #errors = new Map<string, string>();
  readonly #waiting = new Map<string, PromiseWithResolvers<InstalledCertificate>>();
  readonly #watchers = new Map<string, Set<(certificate: WorkloadCertificate) => void>>();

  constructor(rules: TlsRules, ask: (identity: string) => void) {
    this.#rules = rules;
    this.#ask = ask;
  }

  update(identity: string, update: CertificateUpdate): void {
    switch (update.kind) {
      case 'available':
        this.#install(identity, update.certificate);
        return;
      case 'unavailable':
        this.#installed.delete(identity);
        this.#errors.set(identity, update.error);
        this.#refuse(identity, update.error);
        return;
      case 'forgotten':
        this.#installed.delete(identity);
        this.#errors.delete(identity);
        this.#refuse(identity, 'the identity is no longer needed');
        return;
    }
  }

  /** The context to dial with. Waits for the first answer of the authority; throws ZT_NO_CERTIFICATE if it refused. */
  async context(identity: string): Promise<HboneSecureContext> {
    const installed = this.#installed.get(identity);
    if (installed !== undefined) return installed.context;
    const error = this.#errors.get(identity);
    if (error !== undefined) throw noCertificate(error);
    return (await this.#wait(identity)).context;
  }

  /** Calls back with the current certificate, if there is one, and with each that replaces it. */
  watch(identity: string, onCertificate: (certificate: WorkloadCertificate) => void): Disposable {
    const watchers = this.#watchers.get(identity) ?? new Set();
    watchers.add(onCertificate);
    this.#watchers.set(identity, watchers);
    const installed = this.#installed.get(identity);
    if (installed === undefined) this.#ask(identity);
    else onCertificate(installed.certificate);
    return {
      [Symbol.dispose]: () => {
        watchers.delete(onCertificate);
        if (watchers.size === 0 && this.#watchers.get(identity) === watchers) {
          this.#watchers.delete(identity);
        }
      },
    };
  }

  #install(identity: string, certificate: WorkloadCertificate): void {
    let context: HboneSecureContext;
    try {
      context = hboneSecureContext(certificate, this.#rules);
    } catch (caught) {
      // The main thread has tried it; but whatever gets here must not end the thread, and the one in use is still good.
      this.#refuse(identity, toMeshError(caught).message);
      return;
    }
    const installed = { certificate, context };
    this.#errors.delete(identity);
    this.#installed.set(identity, installed);
    this.#waiting.get(identity)?.resolve(installed);
    this.#waiting.delete(identity);
    for (const watcher of this.#watchers.get(identity) ?? []) watcher(certificate);
  }

  #refuse(identity: string, reason: string): void {
    this.#waiting.get(identity)?.reject(noCertificate(reason));
    this.#waiting.delete(identity);
  }

  #wait(identity: string): Promise<InstalledCertificate> {
    let waiting = this.#waiting.get(identity);
    if (waiting === undefined) {
      waiting = Promise.withResolvers<InstalledCertificate>();
      this.#waiting.set(identity, waiting);
      this.#ask(identity);
    }
    return waiting.promise;
  }
}
