/** JSON Web Key Sets that RequestAuthentications name, fetched and kept up to date (spec l7 6.3). */
import type { Logger } from '@aquifer/runtime';
import type { Collection } from '../collections/collection.ts';
import type { Input } from '../collections/nodes.ts';

const REFRESH_MS = 20 * 60_000;
const FIRST_RETRY_MS = 60_000;
const MAX_RETRY_MS = 60 * 60_000;
const TIMEOUT_MS = 5_000;
const MAX_BYTES = 1024 * 1024;

export interface KeySetDeps {
  /** Addresses of key sets, or of OpenID configurations that name one. */
  readonly wanted: Collection<string>;
  /** Gets what was fetched, by address. What was fetched last stays while an address does not answer. */
  readonly keySets: Input<string>;
  readonly log: Logger;
  /** A key set has changed. */
  readonly onChange: () => void;
}

/** Fetches what is wanted until stopped. */
export class KeySets {
  readonly #deps: KeySetDeps;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #abort = new AbortController();

  constructor(deps: KeySetDeps) {
    this.#deps = deps;
  }

  /** After a round: what is newly wanted is fetched, and what nobody wants any more is forgotten. */
  look(): void {
    const { wanted, keySets } = this.#deps;
    const addresses = new Set([...wanted.entries()].map(([, address]) => address));
    for (const address of addresses) {
      if (!this.#timers.has(address)) this.#fetchIn(0, address, FIRST_RETRY_MS);
    }
    for (const [address, timer] of this.#timers) {
      if (addresses.has(address)) continue;
      clearTimeout(timer);
      this.#timers.delete(address);
      keySets.set(address, undefined);
    }
  }

  stop(): void {
    this.#abort.abort();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #fetchIn(ms: number, address: string, retryMs: number): void {
    // One that was forgotten and is wanted again may be fetched twice at a time; only one timer may stay.
    clearTimeout(this.#timers.get(address));
    this.#timers.set(
      address,
      setTimeout(() => void this.#fetch(address, retryMs), ms),
    );
  }

  async #fetch(address: string, retryMs: number): Promise<void> {
    const { keySets, log, onChange } = this.#deps;
    try {
      const text = await fetchKeySet(address, this.#abort.signal);
      if (!this.#timers.has(address)) return;
      if (keySets.latest(address) !== text) {
        keySets.set(address, text);
        onChange();
      }
      this.#fetchIn(REFRESH_MS, address, FIRST_RETRY_MS);
    } catch (error) {
      if (this.#abort.signal.aborted || !this.#timers.has(address)) return;
      const what =
        keySets.latest(address) === undefined ? 'its tokens are refused' : 'its last keys stay';
      log.warn(`keys of tokens cannot be fetched; ${what}`, {
        address,
        error: messageOf(error),
      });
      this.#fetchIn(retryMs, address, Math.min(2 * retryMs, MAX_RETRY_MS));
    }
  }
}

/** Throws if there is none. */
async function fetchKeySet(address: string, signal: AbortSignal): Promise<string> {
  const text = await fetchText(address, signal);
  const found = JSON.parse(text) as { readonly keys?: unknown; readonly jwks_uri?: unknown } | null;
  if (typeof found?.jwks_uri === 'string') return fetchText(found.jwks_uri, signal);
  if (!Array.isArray(found?.keys)) throw new Error('the answer is no JSON Web Key Set');
  return text;
}

async function fetchText(address: string, signal: AbortSignal): Promise<string> {
  if (!/^https?:/i.test(address)) throw new Error(`${address} is no address of http or https`);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const answer = await fetch(address, { signal: limit });
  if (!answer.ok) throw new Error(`answered ${answer.status}`);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of answer.body ?? []) {
    bytes += piece.length;
    if (bytes > MAX_BYTES) throw new Error(`the answer is longer than ${MAX_BYTES} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

/** Of a failed fetch the cause says what it was. */
function messageOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message : message;
}
