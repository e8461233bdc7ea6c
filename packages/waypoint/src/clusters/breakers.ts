// hot path: every attempt

/** What a cluster may have under way at once. */
export interface BreakerLimits {
  readonly connections: number;
  /** Requests that wait for a connection. */
  readonly pending: number;
  readonly requests: number;
  readonly retries: RetryLimit;
}

type RetryLimit =
  | { readonly kind: 'count'; readonly retries: number }
  /** So many percent of the requests that are under way or wait, and never fewer than `least`. */
  | { readonly kind: 'budget'; readonly percent: number; readonly least: number };

/** Envoy's, for a cluster that says nothing (config/cluster/v3/circuit_breaker.proto). */
export const DEFAULT_LIMITS: BreakerLimits = {
  connections: 1024,
  pending: 1024,
  requests: 1024,
  retries: { kind: 'count', retries: 3 },
};

/** The attempt was refused by a breaker: it is answered with 503 and never retried. */
export class Overflow extends Error {
  constructor() {
    super('overflow');
    this.name = 'Overflow';
  }
}

/** One for all: it says nothing about where. */
export const OVERFLOW: Overflow = new Overflow();
/** Too many wait for a connection: the host has not even been asked for one. */
export const QUEUE_OVERFLOW: Overflow = new Overflow();

/**
 * Counts what a cluster has under way, and refuses what would be more than its limits (spec l7 2.4). Always: what was
 * admitted is given back once. Each data-plane thread has breakers of its own with the whole limit: a limit holds per
 * thread, where Envoy's holds per process.
 */
export class Breakers {
  limits: BreakerLimits;
  #connections = 0;
  #pending = 0;
  #requests = 0;
  #retries = 0;

  constructor(limits: BreakerLimits = DEFAULT_LIMITS) {
    this.limits = limits;
  }

  admitConnection(): boolean {
    if (this.#connections >= this.limits.connections) return false;
    this.#connections += 1;
    return true;
  }

  /** A host without a connection gets one in any case, or what waits there would wait for ever. */
  addConnection(): void {
    this.#connections += 1;
  }

  connectionClosed(): void {
    this.#connections -= 1;
  }

  admitPending(): boolean {
    if (this.#pending >= this.limits.pending) return false;
    this.#pending += 1;
    return true;
  }

  pendingEnded(): void {
    this.#pending -= 1;
  }

  admitRequest(): boolean {
    if (this.#requests >= this.limits.requests) return false;
    this.#requests += 1;
    return true;
  }

  requestEnded(): void {
    this.#requests -= 1;
  }

  admitRetry(): boolean {
    if (this.#retries >= this.#maxRetries()) return false;
    this.#retries += 1;
    return true;
  }

  retryEnded(): void {
    this.#retries -= 1;
  }

  #maxRetries(): number {
    const { retries } = this.limits;
    if (retries.kind === 'count') return retries.retries;
    const underWay = this.#requests + this.#pending;
    return Math.max(retries.least, Math.floor((retries.percent / 100) * underWay));
  }
}
