import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@aquifer/runtime';
import { Backoff } from './backoff.ts';
import type { IssuedCertificate } from './issued-certificate.ts';
import { refreshAtMs } from './rotation.ts';

/**
 * ```
 * Initializing ──signed──► Available ──half of its life──► (renewing, still Available)
 *      └──refused──► Unavailable ──backoff──► Initializing …   an expired Available becomes Unavailable
 * ```
 */
export type CertificateState =
  | { readonly kind: 'initializing' }
  | { readonly kind: 'available'; readonly certificate: IssuedCertificate }
  | { readonly kind: 'unavailable'; readonly error: string };

/** Why a certificate is asked for: a connection waits for it, a pod will need it, or there is one already. */
export type CertificateUrgency = 'connection' | 'pod' | 'renewal';

const RANK: Readonly<Record<CertificateUrgency, number>> = { connection: 2, pod: 1, renewal: 0 };

export interface CertificateManagerOptions {
  readonly sign: (spiffeUri: string) => Promise<IssuedCertificate>;
  readonly log: Logger;
  readonly onChange: (spiffeUri: string, state: CertificateState) => void;
  /** Nobody wants the identity any more: whoever has its key drops it. */
  readonly onForgotten?: (spiffeUri: string) => void;
  /** Requests under way at once. Default 8 (spec ztunnel 6.3). */
  readonly concurrency?: number;
}

const BACKOFF = { initialMs: 1_000, maxMs: 150_000, jitter: true };
const MAX_TIMER_MS = 2 ** 31 - 1;

interface Entry {
  state: CertificateState;
  urgency: CertificateUrgency;
  readonly abort: AbortController;
}

/** A request that the others under way hold up. */
interface Waiting {
  readonly entry: Entry;
  readonly start: () => void;
}

/**
 * Keeps a certificate for each identity that is wanted, renewing it until it is forgotten. What is more urgent is asked
 * for first, and what came first of what is equally urgent.
 */
export class CertificateManager {
  readonly #options: CertificateManagerOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #waiting: Waiting[] = [];
  #free: number;

  constructor(options: CertificateManagerOptions) {
    this.#options = options;
    this.#free = options.concurrency ?? 8;
  }

  /** Starts keeping a certificate. One that is kept already is at most asked for sooner. */
  want(spiffeUri: string, urgency: CertificateUrgency = 'pod'): void {
    const known = this.#entries.get(spiffeUri);
    if (known !== undefined) {
      if (RANK[urgency] > RANK[known.urgency]) known.urgency = urgency;
      return;
    }
    const abort = new AbortController();
    const entry: Entry = { state: { kind: 'initializing' }, urgency, abort };
    this.#entries.set(spiffeUri, entry);
    this.#options.onChange(spiffeUri, entry.state);
    void this.#keep(spiffeUri, entry);
  }

  /** Drops the certificate and its key; an answer that is under way is not used. */
  forget(spiffeUri: string): void {
    if (!this.#drop(spiffeUri)) return;
    this.#options.onForgotten?.(spiffeUri);
  }

  /** Keeps certificates for these identities from now on, and for no others. */
  keepOnly(spiffeUris: ReadonlySet<string>): void {
    for (const identity of [...this.#entries.keys()]) {
      if (!spiffeUris.has(identity)) this.forget(identity);
    }
    for (const identity of spiffeUris) this.want(identity);
  }

  /** Every identity kept, for the config dump. */
  states(): ReadonlyMap<string, CertificateState> {
    return new Map([...this.#entries].map(([identity, { state }]) => [identity, state]));
  }

  stop(): void {
    for (const identity of [...this.#entries.keys()]) this.#drop(identity);
  }

  #drop(spiffeUri: string): boolean {
    this.#entries.get(spiffeUri)?.abort.abort();
    return this.#entries.delete(spiffeUri);
  }

  async #keep(spiffeUri: string, entry: Entry): Promise<void> {
    const { signal } = entry.abort;
    const backoff = new Backoff(BACKOFF);
    while (!signal.aborted) {
      const waitMs = await this.#renew(spiffeUri, entry, backoff);
      const boundedMs = Math.min(Math.max(waitMs, 0), MAX_TIMER_MS);
      await delay(boundedMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  /** Returns how long to wait before the next attempt. */
  async #renew(spiffeUri: string, entry: Entry, backoff: Backoff): Promise<number> {
    await this.#takeSlot(entry);
    try {
      // Forgotten while it waited: nobody is asked.
      if (entry.abort.signal.aborted) return 0;
      const certificate = await this.#options.sign(spiffeUri);
      this.#enter(spiffeUri, entry, { kind: 'available', certificate });
      entry.urgency = 'renewal';
      const waitMs = refreshAtMs(certificate) - Date.now();
      // An authority that is at its own end, or clocks that differ by half a life, must not become a storm of requests.
      if (waitMs <= 0) return backoff.next();
      backoff.reset();
      return waitMs;
    } catch (error) {
      return this.#afterFailure(spiffeUri, entry, {
        error: error as Error,
        delayMs: backoff.next(),
      });
    } finally {
      this.#releaseSlot();
    }
  }

  #afterFailure(
    spiffeUri: string,
    entry: Entry,
    { error, delayMs }: { error: Error; delayMs: number },
  ): number {
    this.#options.log.warn('certificate request failed', {
      identity: spiffeUri,
      error: error.message,
    });
    const { state } = entry;
    if (state.kind === 'available' && state.certificate.notAfterMs > Date.now()) {
      return Math.min(delayMs, state.certificate.notAfterMs - Date.now());
    }
    this.#enter(spiffeUri, entry, { kind: 'unavailable', error: error.message });
    return delayMs;
  }

  #enter(spiffeUri: string, entry: Entry, state: CertificateState): void {
    if (entry.abort.signal.aborted) return;
    entry.state = state;
    this.#options.onChange(spiffeUri, state);
  }

  async #takeSlot(entry: Entry): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((start) => this.#waiting.push({ entry, start }));
  }

  #releaseSlot(): void {
    let next = 0;
    for (const [i, { entry }] of this.#waiting.entries()) {
      if (RANK[entry.urgency] > RANK[this.#waiting[next]!.entry.urgency]) next = i;
    }
    const [waiting] = this.#waiting.splice(next, 1);
    if (waiting === undefined) this.#free += 1;
    else waiting.start();
  }
}
