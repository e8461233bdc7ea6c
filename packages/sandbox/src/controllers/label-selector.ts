/** One requirement of a node selector term. */
export interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[] | undefined;
}

type Labels = Readonly<Record<string, string>>;

/** A plain map, as in a Service: each label must be there with that value. */
export function matchesLabels(wanted: Labels, labels: Labels = {}): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

/** An operator that does not exist matches nothing. */
export function matchesRequirement(requirement: Requirement, labels: Labels): boolean {
  const { key, operator, values = [] } = requirement;
  const value = labels[key];
  const tests: Readonly<Record<string, () => boolean>> = {
    In: () => value !== undefined && values.includes(value),
    NotIn: () => value === undefined || !values.includes(value),
    Exists: () => value !== undefined,
    DoesNotExist: () => value === undefined,
    Gt: () => Number(value) > Number(values[0]),
    Lt: () => Number(value) < Number(values[0]),
  };
  return tests[operator]?.() ?? false;
}

/** A LabelSelector: all of its labels and all of its expressions. */
export function matchesSelector(
  selector: {
    readonly matchLabels?: Labels;
    readonly matchExpressions?: readonly Requirement[];
  },
  labels: Labels = {},
): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector;
  return (
    matchesLabels(matchLabels, labels) &&
    matchExpressions.every((requirement) => matchesRequirement(requirement, labels))
  );
}
