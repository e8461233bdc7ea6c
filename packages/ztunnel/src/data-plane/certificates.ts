import type { SecureContext } from 'node:tls';
import { hboneSecureContext, type WorkloadCertificate } from '@aquifer/hbone';
import { IdentityError } from '../errors.ts';

/** What the certificate manager says about an identity, as it reaches a data-plane thread. */
export type CertificateUpdate =
  | { readonly kind: 'available'; readonly certificate: WorkloadCertificate }
  | { readonly kind: 'unavailable'; readonly error: string };

interface Held {
  readonly certificate: WorkloadCertificate;
  readonly context: SecureContext;
}

function hold(certificate: WorkloadCertificate): Held | Error {
  try {
    return { certificate, context: hboneSecureContext(certificate) };
  } catch (error) {
    return error as Error;
  }
}

/** Certificates as one thread sees them; what is missing is asked for once. */
export class ThreadCertificates {
  readonly #ask: (identity: string) => void;
  readonly #held = new Map<string, Held>();
  readonly #errors = new Map<string, string>();
  readonly #waiting = new Map<string, PromiseWithResolvers<Held>>();
  readonly #watchers = new Map<string, Set<(certificate: WorkloadCertificate) => void>>();

  constructor(ask: (identity: string) => void) {
    this.#ask = ask;
  }

  update(identity: string, update: CertificateUpdate): void {
    const waiting = this.#waiting.get(identity);
    this.#waiting.delete(identity);
    if (update.kind === 'unavailable') {
      this.#held.delete(identity);
      this.#errors.set(identity, update.error);
      waiting?.reject(new IdentityError(update.error));
      return;
    }
    const held = hold(update.certificate);
    // The main thread has tried it; but whatever gets here must not end the thread, and the one in use is still good.
    if (held instanceof Error) {
      waiting?.reject(new IdentityError(held.message));
      return;
    }
    this.#errors.delete(identity);
    this.#held.set(identity, held);
    waiting?.resolve(held);
    for (const watcher of this.#watchers.get(identity) ?? []) watcher(held.certificate);
  }

  /** The context to dial with. Waits for the first answer of the authority; throws `IdentityError` if it refused. */
  async context(identity: string): Promise<SecureContext> {
    const held = this.#held.get(identity);
    if (held !== undefined) return held.context;
    const error = this.#errors.get(identity);
    if (error !== undefined) throw new IdentityError(error);
    return (await this.#wait(identity)).context;
  }

  /** Calls back with the current certificate, if there is one, and with each that replaces it. */
  watch(identity: string, onCertificate: (certificate: WorkloadCertificate) => void): Disposable {
    const watchers = this.#watchers.get(identity) ?? new Set();
    watchers.add(onCertificate);
    this.#watchers.set(identity, watchers);
    const held = this.#held.get(identity);
    if (held === undefined) this.#ask(identity);
    else onCertificate(held.certificate);
    return { [Symbol.dispose]: () => watchers.delete(onCertificate) };
  }

  #wait(identity: string): Promise<Held> {
    let waiting = this.#waiting.get(identity);
    if (waiting === undefined) {
      waiting = Promise.withResolvers<Held>();
      this.#waiting.set(identity, waiting);
      this.#ask(identity);
    }
    return waiting.promise;
  }
}
