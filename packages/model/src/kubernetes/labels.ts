/** Labels and what selects them (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/). */

export type Labels = Readonly<Record<string, string>>;

/** One expression of a label selector, or of a node selector term, which alone may say `Gt` and `Lt`. */
export interface Requirement {
  readonly key: string;
  /** `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt` or `Lt`; any other selects nothing. */
  readonly operator: string;
  readonly values?: readonly string[] | undefined;
}

/** metav1.LabelSelector: all parts must hold; the empty selector selects everything. */
export interface LabelSelector {
  readonly matchLabels?: Labels | undefined;
  readonly matchExpressions?: readonly Requirement[] | undefined;
}

/** A label may have the name of what every object has, such as `constructor`. */
function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

/** Whether every wanted label is there with that value, as a Service selects; an empty `wanted` always holds. */
export function hasLabels(wanted: Labels, labels: Labels = {}): boolean {
  for (const key in wanted) if (labelOf(labels, key) !== wanted[key]) return false;
  return true;
}

type Operator = (value: string | undefined, values: readonly string[]) => boolean;

const OPERATORS: Readonly<Record<string, Operator>> = {
  In: (value, values) => value !== undefined && values.includes(value),
  NotIn: (value, values) => value === undefined || !values.includes(value),
  Exists: (value) => value !== undefined,
  DoesNotExist: (value) => value === undefined,
  Gt: (value, [bound]) => Number(value) > Number(bound),
  Lt: (value, [bound]) => Number(value) < Number(bound),
};

/** `NotIn` holds for objects without the key. */
export function meetsRequirement({ key, operator, values }: Requirement, labels: Labels): boolean {
  const compare = Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined;
  return compare?.(labelOf(labels, key), values ?? []) ?? false;
}

export function selects(selector: LabelSelector, labels: Labels = {}): boolean {
  const { matchLabels, matchExpressions } = selector;
  return (
    hasLabels(matchLabels ?? {}, labels) &&
    (matchExpressions ?? []).every((requirement) => meetsRequirement(requirement, labels))
  );
}
