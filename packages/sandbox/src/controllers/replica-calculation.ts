/**
 * How many replicas a measured resource asks for, as kube-controller-manager reckons it
 * (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details). Pure.
 */

/** A ratio of use to target this close to 1 changes nothing. */
const TOLERANCE = 0.1;
/** A pod that is not ready does not count for processor time until it has run this long. */
const INITIALIZATION_MS = 300_000;
/** A pod that is not ready and has not been since so soon after its start has never been. */
const INITIAL_READINESS_MS = 30_000;

/** What is to be kept: a share of what pods request, or an amount for each pod. */
export type ResourceTarget =
  | { readonly kind: 'utilization'; readonly percent: number }
  | { readonly kind: 'average'; readonly amount: number };

/** A pod that the target selects. Amounts in processors or bytes. */
export interface ScaledPod {
  readonly isEnded: boolean;
  readonly isPending: boolean;
  readonly isReady: boolean;
  readonly startedAtMs: number | null;
  /** Of its condition Ready. */
  readonly readySinceMs: number | null;
  /** Of all its containers together; null where one requests nothing. */
  readonly requested: number | null;
  /** Null while nothing is known. */
  readonly measured: {
    readonly amount: number;
    readonly atMs: number;
    readonly windowMs: number;
  } | null;
}

export interface ResourceDecision {
  readonly replicas: number;
  /** What pods use in percent of what they request; null for a target that is an amount. */
  readonly utilization: number | null;
  /** What a pod uses on average. */
  readonly average: number;
}

interface Counted {
  readonly ready: readonly ScaledPod[];
  readonly unready: readonly ScaledPod[];
  readonly missing: readonly ScaledPod[];
}

/** Null when no pod has been measured that counts. */
export function replicasFor(
  pods: readonly ScaledPod[],
  target: ResourceTarget,
  at: { readonly replicas: number; readonly isCpu: boolean; readonly nowMs: number },
): ResourceDecision | null {
  const counted = count(pods, at.isCpu, at.nowMs);
  const { ready, unready, missing } = counted;
  if (ready.length === 0) return null;
  const amounts = ready.map(measuredAmount);
  const average = sum(amounts) / ready.length;
  const first = usage(ready, amounts, target);
  const decide = (replicas: number): ResourceDecision => ({
    replicas,
    utilization: target.kind === 'utilization' ? Math.floor(first * target.percent) : null,
    average,
  });
  const adds = first > 1;
  if (missing.length === 0 && !(unready.length > 0 && adds)) {
    return decide(isNear(first) ? at.replicas : Math.ceil(rounded(first * ready.length)));
  }
  // Who has not been measured is taken to use little when there is much, and much when there is little.
  const assumed = missing.map((pod) => (adds ? 0 : fullAmount(pod, target)));
  const all = [...ready, ...missing, ...(adds ? unready : [])];
  const again = usage(all, [...amounts, ...assumed, ...(adds ? unready.map(() => 0) : [])], target);
  if (isNear(again) || again > 1 !== adds) return decide(at.replicas);
  const replicas = Math.ceil(rounded(again * all.length));
  const turns = adds ? replicas < at.replicas : replicas > at.replicas;
  return decide(turns ? at.replicas : replicas);
}

function count(pods: readonly ScaledPod[], isCpu: boolean, nowMs: number): Counted {
  const living = pods.filter(({ isEnded }) => !isEnded);
  const isUnready = (pod: ScaledPod): boolean =>
    pod.isPending || (pod.measured !== null && isCpu && isNotCountedYet(pod, nowMs));
  const settled = living.filter((pod) => !isUnready(pod));
  return {
    unready: living.filter(isUnready),
    ready: settled.filter(({ measured }) => measured !== null),
    missing: settled.filter(({ measured }) => measured === null),
  };
}

function isNotCountedYet(pod: ScaledPod, nowMs: number): boolean {
  const { startedAtMs, readySinceMs, measured, isReady } = pod;
  if (startedAtMs === null || readySinceMs === null || measured === null) return true;
  if (startedAtMs + INITIALIZATION_MS > nowMs) {
    // Still, or measured in part, before it was ready.
    return !isReady || measured.atMs < readySinceMs + measured.windowMs;
  }
  return !isReady && startedAtMs + INITIAL_READINESS_MS > readySinceMs;
}

/** The ratio of what is used to what should be. */
function usage(
  pods: readonly ScaledPod[],
  amounts: readonly number[],
  target: ResourceTarget,
): number {
  const wanted =
    target.kind === 'utilization'
      ? (sum(pods.map(({ requested }) => requested ?? 0)) * target.percent) / 100
      : target.amount * pods.length;
  return sum(amounts) / wanted;
}

function fullAmount({ requested }: ScaledPod, target: ResourceTarget): number {
  if (target.kind === 'average') return target.amount;
  return ((requested ?? 0) * Math.max(100, target.percent)) / 100;
}

function measuredAmount({ measured }: ScaledPod): number {
  return measured?.amount ?? 0;
}

function isNear(ratio: number): boolean {
  return rounded(Math.abs(ratio - 1)) <= TOLERANCE;
}

/** Fractions that binary numbers do not have must not become one replica more. */
function rounded(value: number): number {
  return Number(value.toFixed(9));
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0);
}
