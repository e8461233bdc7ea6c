/**
 * How fast a target may follow what its metrics ask for: `spec.behavior` of an autoscaler
 * (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#configurable-scaling-behavior). Pure.
 */

interface ScalingRules {
  readonly stabilizationWindowSeconds?: number;
  readonly selectPolicy?: 'Max' | 'Min' | 'Disabled';
  readonly policies?: readonly {
    readonly type: 'Pods' | 'Percent';
    readonly value: number;
    readonly periodSeconds: number;
  }[];
}

type Policy = NonNullable<ScalingRules['policies']>[number];

export interface ScalingBehavior {
  readonly scaleUp?: ScalingRules;
  readonly scaleDown?: ScalingRules;
}

/** What was asked for, or done: `replicas` is the number asked for, or by how many the target grew. */
interface ScalingRecord {
  readonly atMs: number;
  readonly replicas: number;
}

/** What an autoscaler remembers of the past. */
export interface ScalingHistory {
  readonly recommendations: readonly ScalingRecord[];
  readonly changes: readonly ScalingRecord[];
}

export const NO_HISTORY: ScalingHistory = { recommendations: [], changes: [] };

const DEFAULT_UP: Required<ScalingRules> = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
};
const DEFAULT_DOWN: Required<ScalingRules> = {
  stabilizationWindowSeconds: 300,
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
};
/** The longest window and period that the API takes. */
const REMEMBERED_MS = 3_600_000;

export interface Paced {
  readonly replicas: number;
  /** The new recommendation is in it; what is too old to matter is not. */
  readonly history: ScalingHistory;
  /** Recommendations of the past, or policies, that kept it from what was asked for. */
  readonly heldBy: 'nothing' | 'past' | 'policies';
}

/** From `current` towards `wanted` replicas, as far as behaviour and past allow now. */
export function pace(
  { current, wanted, nowMs }: { current: number; wanted: number; nowMs: number },
  behavior: ScalingBehavior,
  past: ScalingHistory,
): Paced {
  const up = { ...DEFAULT_UP, ...behavior.scaleUp };
  const down = { ...DEFAULT_DOWN, ...behavior.scaleDown };
  const isRecent = ({ atMs }: ScalingRecord): boolean => nowMs - atMs < REMEMBERED_MS;
  // Who comes to a target that runs already takes its size for what was recommended.
  const before =
    past.recommendations.length > 0
      ? past.recommendations
      : [{ atMs: nowMs - 1, replicas: current }];
  const history: ScalingHistory = {
    recommendations: [...before.filter(isRecent), { atMs: nowMs, replicas: wanted }],
    changes: past.changes.filter(isRecent),
  };
  const within = ({ stabilizationWindowSeconds }: Required<ScalingRules>): number[] => {
    const fromMs = nowMs - stabilizationWindowSeconds * 1000;
    const inWindow = history.recommendations.filter(({ atMs }) => atMs >= fromMs);
    return inWindow.map(({ replicas }) => replicas);
  };
  const stable = Math.min(Math.max(current, Math.min(...within(up))), Math.max(...within(down)));
  const allowed = limited(
    { current, wanted: stable, nowMs },
    stable > current ? up : down,
    history,
  );
  const heldBy = allowed !== stable ? 'policies' : stable !== wanted ? 'past' : 'nothing';
  return { replicas: allowed, history, heldBy };
}

function limited(
  { current, wanted, nowMs }: { current: number; wanted: number; nowMs: number },
  { selectPolicy, policies }: Required<ScalingRules>,
  { changes }: ScalingHistory,
): number {
  if (wanted === current || selectPolicy === 'Disabled') return current;
  const grows = wanted > current;
  const limits = policies.map((policy) => {
    const before = current - changeWithin(policy, changes, nowMs);
    return grows ? most(before, policy) : least(before, policy);
  });
  // The policy that lets it change most, or least.
  const takesHighest = grows === (selectPolicy === 'Max');
  const limit = takesHighest ? Math.max(...limits) : Math.min(...limits);
  return grows
    ? Math.max(current, Math.min(wanted, limit))
    : Math.min(current, Math.max(wanted, limit));
}

function changeWithin(
  { periodSeconds }: Policy,
  changes: readonly ScalingRecord[],
  nowMs: number,
): number {
  return changes
    .filter(({ atMs }) => nowMs - atMs < periodSeconds * 1000)
    .reduce((total, { replicas }) => total + replicas, 0);
}

function most(before: number, { type, value }: Policy): number {
  return type === 'Pods' ? before + value : Math.ceil(before * (1 + value / 100));
}

function least(before: number, { type, value }: Policy): number {
  return type === 'Pods' ? before - value : Math.floor(before * (1 - value / 100));
}
