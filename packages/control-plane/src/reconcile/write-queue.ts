/**
 * Writes to the Kubernetes API, one at a time for each object.
 *
 * ```
 *            wish            room              succeeded
 *   (none) ───────► waiting ───────► running ───────────► written   the same wish is not repeated for a while
 *                                       │ failed
 *                                       └───────────────► resting   no wish is taken until the pause is over
 * ```
 *
 * Always: what is written is the newest wish, and one that the last round of wishes had too. A write that failed is never
 * repeated from memory: when its pause is over, `recheck` wishes again for whatever is still missing then.
 */
import type { Logger } from '@aquifer/runtime';

/**
 * What became of a write. `settled`: it changed nothing, so the same wish need never be repeated. `declined`: it was
 * not carried out, on purpose; it is asked again when the longest pause is over. `outdated`: what it was wished for upon
 * has changed; it is asked again after a pause. Anything else: written.
 */
export type WriteOutcome = 'settled' | 'declined' | 'outdated' | object;

interface Wish {
  readonly fingerprint: string;
  readonly write: () => Promise<WriteOutcome>;
  /** In which it was wished for last. */
  readonly round: number;
}

type Slot =
  | { readonly kind: 'waiting'; readonly wish: Wish }
  | { readonly kind: 'running'; readonly wish: Wish; newer: Wish | null }
  | (Held & { readonly kind: 'written'; readonly fingerprint: string })
  | (Held & { readonly kind: 'resting' });

/** No wish, or not the same one, is taken before that time. */
interface Held {
  readonly untilMs: number;
  /** In which it was wished for last. */
  round: number;
}

export interface WriteQueueDeps {
  readonly log: Logger;
  /** Wishes again for everything that is missing now. */
  readonly recheck: () => void;
  /** While it says no, wishes are not taken and nothing is begun. Default: always yes. */
  readonly mayWrite?: () => boolean;
}

const MAX_CONCURRENT = 8;
const PAUSE_MS = { first: 250, last: 30_000 };
/** A watch shows our own write a moment later; until then the same wish is not written again. */
const ECHO_MS = 5000;
/** Above so many objects, those that nobody wishes for any more are looked for. */
const MAX_UNWANTED = 1000;

export class WriteQueue {
  readonly #deps: WriteQueueDeps;
  readonly #slots = new Map<string, Slot>();
  /** Keys of the slots that wait, in the order in which they were wished for. */
  readonly #waiting = new Set<string>();
  /** Failures in a row, by key. */
  readonly #failures = new Map<string, number>();
  readonly #underWay = new Set<Promise<void>>();
  #round = 0;
  #tidyAt = MAX_UNWANTED;
  #recheck: { readonly timer: NodeJS.Timeout; readonly atMs: number } | null = null;
  #stopped = false;

  constructor(deps: WriteQueueDeps) {
    this.#deps = deps;
  }

  /** `wishes` wishes for everything that is missing. What waits and is not among it is not written any more. */
  startRound(wishes: () => void): void {
    this.#round += 1;
    wishes();
    for (const key of this.#waiting) {
      const slot = this.#slots.get(key);
      if (slot?.kind !== 'waiting' || slot.wish.round === this.#round) continue;
      this.#waiting.delete(key);
      this.#slots.delete(key);
    }
    for (const slot of this.#slots.values()) {
      if (slot.kind === 'running' && slot.newer?.round !== this.#round) slot.newer = null;
    }
    if (this.#slots.size > this.#tidyAt) this.#tidy();
  }

  /** `fingerprint` says what would be written, and what it is based on; `key` what it is written to. */
  wish(key: string, fingerprint: string, write: () => Promise<WriteOutcome>): void {
    if (this.#stopped || !this.#mayWrite()) return;
    const slot = this.#slots.get(key);
    const wish = { fingerprint, write, round: this.#round };
    if (slot?.kind === 'running') {
      slot.newer = slot.wish.fingerprint === fingerprint ? null : wish;
      return;
    }
    if (slot !== undefined && this.#isHeldBack(slot, fingerprint)) return;
    this.#slots.set(key, { kind: 'waiting', wish });
    this.#waiting.add(key);
    this.#next();
  }

  /** Begins nothing more. Resolves when what is under way has ended: by then another may write. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting.clear();
    if (this.#recheck !== null) clearTimeout(this.#recheck.timer);
    await Promise.all(this.#underWay);
  }

  #mayWrite(): boolean {
    return this.#deps.mayWrite?.() ?? true;
  }

  #isHeldBack(slot: Slot, fingerprint: string): boolean {
    if (!('untilMs' in slot) || performance.now() >= slot.untilMs) return false;
    if (slot.kind === 'written' && slot.fingerprint !== fingerprint) return false;
    slot.round = this.#round;
    this.#recheckAt(slot.untilMs);
    return true;
  }

  #next(): void {
    for (const key of this.#waiting) {
      if (this.#stopped || this.#underWay.size >= MAX_CONCURRENT) return;
      this.#waiting.delete(key);
      const slot = this.#slots.get(key);
      if (slot?.kind !== 'waiting') continue;
      if (this.#mayWrite()) this.#begin(key, slot.wish);
      else this.#slots.delete(key);
    }
  }

  #begin(key: string, wish: Wish): void {
    const slot: Slot = { kind: 'running', wish, newer: null };
    this.#slots.set(key, slot);
    const ended = (outcome: WriteOutcome | null): void => {
      this.#underWay.delete(done);
      // Whoever lags behind knows soon; one that does not is asked less and less often.
      if (outcome === null || outcome === 'outdated') this.#rest(key);
      else this.#finish(key, slot, outcome);
      this.#next();
    };
    const done = wish.write().then(ended, (error: unknown) => {
      const attempt = (this.#failures.get(key) ?? 0) + 1;
      const { message } = error as Error;
      this.#deps.log.warn('write failed', { object: key, error: message, attempt });
      ended(null);
    });
    this.#underWay.add(done);
  }

  #finish(key: string, { wish, newer }: Slot & { kind: 'running' }, outcome: WriteOutcome): void {
    this.#failures.delete(key);
    if (newer !== null) {
      this.#slots.set(key, { kind: 'waiting', wish: newer });
      this.#waiting.add(key);
      return;
    }
    const nowMs = performance.now();
    if (outcome === 'declined') {
      this.#slots.set(key, { kind: 'resting', untilMs: nowMs + PAUSE_MS.last, round: this.#round });
      this.#recheckAt(nowMs + PAUSE_MS.last);
      return;
    }
    const untilMs = outcome === 'settled' ? Number.POSITIVE_INFINITY : nowMs + ECHO_MS;
    const { fingerprint } = wish;
    this.#slots.set(key, { kind: 'written', fingerprint, untilMs, round: this.#round });
  }

  #rest(key: string): void {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const pauseMs = Math.min(PAUSE_MS.first * 2 ** (failures - 1), PAUSE_MS.last);
    const untilMs = performance.now() + pauseMs;
    this.#slots.set(key, { kind: 'resting', untilMs, round: this.#round });
    this.#recheckAt(untilMs);
  }

  /** One timer, at the earliest time that anybody asked for; whoever is later asks again then. */
  #recheckAt(atMs: number): void {
    if (this.#stopped || !Number.isFinite(atMs)) return;
    if (this.#recheck !== null) {
      if (this.#recheck.atMs <= atMs) return;
      clearTimeout(this.#recheck.timer);
    }
    // A timer may fire a millisecond early.
    const timer = setTimeout(() => this.#wakeUp(), Math.max(0, atMs - performance.now()) + 2);
    this.#recheck = { timer, atMs };
  }

  #wakeUp(): void {
    this.#recheck = null;
    this.#deps.recheck();
    const nowMs = performance.now();
    for (const slot of this.#slots.values()) {
      if (slot.kind === 'resting' && slot.untilMs > nowMs) this.#recheckAt(slot.untilMs);
    }
  }

  /** What is still wished for keeps its place, and its failures: without them it would be written again at once. */
  #tidy(): void {
    const nowMs = performance.now();
    for (const [key, slot] of this.#slots) {
      if (!('untilMs' in slot) || slot.round === this.#round) continue;
      if (slot.untilMs > nowMs && Number.isFinite(slot.untilMs)) continue;
      this.#slots.delete(key);
      this.#failures.delete(key);
    }
    this.#tidyAt = 2 * this.#slots.size + MAX_UNWANTED;
  }
}
