// hot path: every answer of a cluster that has outlier detection

/**
 * How an attempt went: the status of its answer, or why there is none. A host that a TCP connection was made to has done
 * all that is known of it.
 */
export type Outcome = number | 'connected' | 'tcp-connected' | 'unreachable' | 'timeout';

/** Which of a host's counters has reached its limit. */
export type Detected = 'consecutive-5xx' | 'consecutive-gateway' | 'consecutive-local';

/**
 * ```
 * serving ── a limit is reached, and not too many are ejected ──► ejected
 *    ▲                                                              │
 *    └──── a sweep finds that its time has passed ──────────────────┘
 * ```
 */
export type Ejection =
  /** `sinceMs`: when it came back; null if it was never ejected. */
  | { readonly kind: 'serving'; readonly sinceMs: number | null }
  | { readonly kind: 'ejected'; readonly sinceMs: number; readonly jitterMs: number };

const NEVER_EJECTED: Ejection = { kind: 'serving', sinceMs: null };

/** Requests since the last sweep. */
export interface Rate {
  total: number;
  succeeded: number;
}

/** At which counts a host is detected, and whom it is told to. */
export interface MonitorOwner {
  readonly settings: {
    readonly consecutive5xx: { readonly failures: number };
    readonly consecutiveGateway: { readonly failures: number };
    readonly consecutiveLocal: { readonly failures: number };
    readonly localFailures: 'as-answers' | 'apart';
  };
  detected(monitor: HostMonitor, what: Detected): void;
}

/** What an endpoint's cluster knows of how it has answered of late (Envoy's `DetectorHostMonitorImpl`). */
export class HostMonitor {
  ejection: Ejection = NEVER_EJECTED;
  /** Ejections that are not forgiven yet: the next one lasts so many times the base time, and once more. */
  ejections = 0;
  /** Where failures without an answer count as answers, all of them. */
  readonly answers: Rate = { total: 0, succeeded: 0 };
  readonly local: Rate = { total: 0, succeeded: 0 };
  readonly #owner: MonitorOwner;
  #consecutive5xx = 0;
  #consecutiveGateway = 0;
  #consecutiveLocal = 0;

  constructor(owner: MonitorOwner) {
    this.#owner = owner;
  }

  report(outcome: Outcome): void {
    if (typeof outcome === 'number') this.#answered(outcome);
    else if (this.#owner.settings.localFailures === 'apart') this.#reached(outcome);
    else if (outcome !== 'connected') this.#answered(AS_ANSWER[outcome]);
  }

  /** So that the next failure alone does not eject it again. */
  forgetFailures(what: Detected | 'all'): void {
    if (what !== 'consecutive-gateway' && what !== 'consecutive-local') this.#consecutive5xx = 0;
    if (what !== 'consecutive-5xx' && what !== 'consecutive-local') this.#consecutiveGateway = 0;
    if (what !== 'consecutive-5xx' && what !== 'consecutive-gateway') this.#consecutiveLocal = 0;
  }

  #answered(status: number): void {
    this.answers.total += 1;
    if (status < 500 || status > 599) {
      this.answers.succeeded += 1;
      this.#consecutive5xx = 0;
      this.#consecutiveGateway = 0;
      return;
    }
    const { settings } = this.#owner;
    if (status >= 502 && status <= 504) {
      this.#consecutiveGateway += 1;
      if (this.#consecutiveGateway === settings.consecutiveGateway.failures)
        this.#owner.detected(this, 'consecutive-gateway');
    } else this.#consecutiveGateway = 0;
    this.#consecutive5xx += 1;
    if (this.#consecutive5xx === settings.consecutive5xx.failures)
      this.#owner.detected(this, 'consecutive-5xx');
  }

  #reached(outcome: Exclude<Outcome, number>): void {
    this.local.total += 1;
    if (outcome === 'connected' || outcome === 'tcp-connected') {
      this.local.succeeded += 1;
      this.#consecutiveLocal = 0;
      return;
    }
    this.#consecutiveLocal += 1;
    if (this.#consecutiveLocal === this.#owner.settings.consecutiveLocal.failures)
      this.#owner.detected(this, 'consecutive-local');
  }
}

const AS_ANSWER: Readonly<Record<Exclude<Outcome, number | 'connected'>, number>> = {
  'tcp-connected': 200,
  unreachable: 503,
  timeout: 504,
};
