/** JSON Web Key Sets that RequestAuthentications name, fetched and kept up to date (spec l7 6.3). */
import type { Logger } from '@aquifer/runtime';
import type { Collection } from '../collections/collection.ts';
import type { Input } from '../collections/nodes.ts';

const REFRESH_MS = 20 * 60_000;
const FIRST_RETRY_MS = 60_000;
const MAX_RETRY_MS = 60 * 60_000;
/** Of a fetch as a whole, with all that it is led to. */
const TIMEOUT_MS = 5_000;
const MAX_BYTES = 1024 * 1024;
/** As Go's client, which Istio fetches with. */
const MAX_REDIRECTS = 10;
/** Whoever may write RequestAuthentications must not make the control plane fetch without end. */
const MAX_ADDRESSES = 1_000;
const MAX_AT_A_TIME = 10;

export interface KeySetDeps {
  /** Addresses of key sets, or of OpenID configurations that name one. */
  readonly wanted: Collection<string>;
  /** Gets what was fetched, by address. What was fetched last stays while an address does not answer. */
  readonly keySets: Input<string>;
  readonly log: Logger;
  /** A key set has changed. */
  readonly onChange: () => void;
  readonly limits?: { readonly addresses: number; readonly atATime: number };
}

interface Fetch {
  readonly address: string;
  readonly retryMs: number;
}

/** Fetches what is wanted until stopped. */
export class KeySets {
  readonly #deps: KeySetDeps;
  readonly #limits: NonNullable<KeySetDeps['limits']>;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Those that are too many. */
  #left: ReadonlySet<string> = new Set();
  /** What is to be fetched as soon as others have been. */
  readonly #waiting: Fetch[] = [];
  #running = 0;
  readonly #abort = new AbortController();

  constructor(deps: KeySetDeps) {
    this.#deps = deps;
    this.#limits = deps.limits ?? { addresses: MAX_ADDRESSES, atATime: MAX_AT_A_TIME };
  }

  /** After a round: what is newly wanted is fetched, and what nobody wants any more is forgotten. */
  look(): void {
    const { wanted, keySets } = this.#deps;
    const addresses = new Set([...wanted.entries()].map(([, address]) => address));
    for (const [address, timer] of this.#timers) {
      if (addresses.has(address)) continue;
      clearTimeout(timer);
      this.#timers.delete(address);
      keySets.set(address, undefined);
    }
    const left = new Set<string>();
    for (const address of addresses) {
      if (this.#timers.has(address)) continue;
      if (this.#timers.size < this.#limits.addresses) this.#fetchIn(0, address, FIRST_RETRY_MS);
      else left.add(address);
    }
    this.#tellLeft(left);
  }

  #tellLeft(left: ReadonlySet<string>): void {
    for (const address of left) {
      if (this.#left.has(address)) continue;
      const { addresses } = this.#limits;
      const what = `keys of tokens are fetched from ${addresses} addresses and no more`;
      this.#deps.log.warn(`${what}; the tokens of others are refused`, { address });
    }
    this.#left = left;
  }

  stop(): void {
    this.#abort.abort();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#waiting.length = 0;
  }

  #fetchIn(ms: number, address: string, retryMs: number): void {
    // One that was forgotten and is wanted again may be fetched twice at a time; only one timer may stay.
    clearTimeout(this.#timers.get(address));
    this.#timers.set(
      address,
      setTimeout(() => {
        this.#waiting.push({ address, retryMs });
        this.#fetchNext();
      }, ms),
    );
  }

  #fetchNext(): void {
    while (this.#running < this.#limits.atATime) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      // Nobody may want it any more.
      if (!this.#timers.has(next.address)) continue;
      this.#running += 1;
      void this.#fetch(next).finally(() => {
        this.#running -= 1;
        this.#fetchNext();
      });
    }
  }

  async #fetch({ address, retryMs }: Fetch): Promise<void> {
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
async function fetchKeySet(address: string, stopped: AbortSignal): Promise<string> {
  const signal = AbortSignal.any([stopped, AbortSignal.timeout(TIMEOUT_MS)]);
  const text = await fetchText(address, signal);
  const found = JSON.parse(text) as { readonly keys?: unknown; readonly jwks_uri?: unknown } | null;
  if (typeof found?.jwks_uri === 'string') return fetchText(found.jwks_uri, signal);
  if (!Array.isArray(found?.keys)) throw new Error('the answer is no JSON Web Key Set');
  return text;
}

/** Wherever it is led to, as Istio is: also from https to http. */
async function fetchText(address: string, signal: AbortSignal): Promise<string> {
  let at = address;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    if (!/^https?:/i.test(at)) throw new Error(`${at} is no address of http or https`);
    const answer = await fetch(at, { signal, redirect: 'manual' });
    const location = answer.headers.get('location');
    if (!REDIRECTS.has(answer.status) || location === null) return textOf(answer);
    await answer.body?.cancel();
    at = new URL(location, at).href;
  }
  throw new Error(`redirected more than ${MAX_REDIRECTS} times`);
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

async function textOf(answer: Response): Promise<string> {
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
