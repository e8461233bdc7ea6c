/** A count that ejects a host when it is reached, and the percentage of the times that it does. */
interface Consecutive {
  /** 0: never. */
  readonly failures: number;
  readonly enforcedPercent: number;
}

/** When a host is taken out of balancing, and for how long (spec l7 2.5; Envoy's `OutlierDetection`). */
export interface OutlierSettings {
  readonly consecutive5xx: Consecutive;
  /** 502, 503 and 504. */
  readonly consecutiveGateway: Consecutive;
  /** Of those that no answer came from, where they are told apart. */
  readonly consecutiveLocal: Consecutive;
  /** Whether a host that cannot be reached counts as one that answered 503 or 504. */
  readonly localFailures: 'as-answers' | 'apart';
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  /** An ejection lasts up to so much longer. */
  readonly maxJitterMs: number;
  readonly maxEjectionPercent: number;
  /** What is done for a first ejection that would be more than `maxEjectionPercent`. */
  readonly firstEjection: 'by-percent' | 'always';
  readonly successRate: RateSettings & { readonly deviations: number };
  readonly failureRate: RateSettings & { readonly percent: number };
}

/** Compares hosts by their answers since the last sweep. */
interface RateSettings {
  readonly enforcedPercent: number;
  /** The same for failures without an answer, where they are told apart. */
  readonly enforcedLocalPercent: number;
  readonly minHosts: number;
  /** Of a host, for it to be judged. */
  readonly minRequests: number;
}
