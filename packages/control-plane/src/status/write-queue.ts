/** Writes to the Kubernetes API that are repeated until they succeed or are superseded. */
import type { Logger } from '@aquifer/runtime';

interface Wish {
  readonly fingerprint: string;
  readonly write: () => Promise<unknown>;
  attempts: number;
}

interface Done {
  readonly fingerprint: string;
  readonly atMs: number;
}

const MAX_CONCURRENT = 8;
const MAX_ATTEMPTS = 8;
const BACKOFF_MS = { first: 250, last: 30_000 };
/** A watch shows our own write a moment later; until then the same wish is not written again. */
const ECHO_MS = 5000;

/**
 * One wish for each key: a newer one replaces an older that has not started, the same one is not repeated while it is
 * in flight or was just written. After `MAX_ATTEMPTS` failures a wish is dropped. Whenever a wish was not carried out,
 * `recheck` is called a while later, to wish again for what is still missing then.
 */
export class WriteQueue {
  readonly #log: Logger;
  readonly #waiting = new Map<string, Wish>();
  readonly #running = new Map<string, Wish>();
  readonly #done = new Map<string, Done>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #recheck: () => void;
  #recheckTimer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(log: Logger, recheck: () => void) {
    this.#log = log;
    this.#recheck = recheck;
  }

  /** `fingerprint` says what would be written; `key` what it is written to. */
  wish(key: string, fingerprint: string, write: () => Promise<unknown>): void {
    const known = this.#waiting.get(key) ?? this.#running.get(key);
    if (known?.fingerprint === fingerprint) return;
    if (this.#isEcho(key, fingerprint)) {
      this.#recheckIn(ECHO_MS);
      return;
    }
    this.#waiting.set(key, { fingerprint, write, attempts: 0 });
    this.#next();
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting.clear();
    for (const timer of this.#timers) clearTimeout(timer);
    if (this.#recheckTimer !== null) clearTimeout(this.#recheckTimer);
  }

  #recheckIn(ms: number): void {
    if (this.#stopped || this.#recheckTimer !== null) return;
    this.#recheckTimer = setTimeout(() => {
      this.#recheckTimer = null;
      this.#recheck();
    }, ms);
  }

  #isEcho(key: string, fingerprint: string): boolean {
    const done = this.#done.get(key);
    return done?.fingerprint === fingerprint && performance.now() - done.atMs < ECHO_MS;
  }

  #next(): void {
    for (const [key, wish] of this.#waiting) {
      if (this.#stopped || this.#running.size >= MAX_CONCURRENT) return;
      if (this.#running.has(key)) continue;
      this.#waiting.delete(key);
      this.#running.set(key, wish);
      wish.write().then(
        () => this.#finish(key, wish),
        (error: unknown) => this.#fail(key, wish, error as Error),
      );
    }
  }

  #finish(key: string, { fingerprint }: Wish): void {
    this.#running.delete(key);
    this.#done.set(key, { fingerprint, atMs: performance.now() });
    if (this.#done.size > 1000) this.#forgetOld();
    this.#next();
  }

  #fail(key: string, wish: Wish, error: Error): void {
    this.#running.delete(key);
    wish.attempts += 1;
    const retryMs = Math.min(BACKOFF_MS.first * 2 ** (wish.attempts - 1), BACKOFF_MS.last);
    this.#log.warn('write failed', { object: key, error: error.message, attempt: wish.attempts });
    if (wish.attempts >= MAX_ATTEMPTS) this.#recheckIn(BACKOFF_MS.last);
    else if (!this.#stopped) {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        if (!this.#waiting.has(key)) this.#waiting.set(key, wish);
        this.#next();
      }, retryMs);
      this.#timers.add(timer);
    }
    this.#next();
  }

  #forgetOld(): void {
    const nowMs = performance.now();
    for (const [key, { atMs }] of this.#done) if (nowMs - atMs > ECHO_MS) this.#done.delete(key);
  }
}
