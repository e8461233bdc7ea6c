/** What is counted in another way than usual, as values that go from thread to thread. */
export interface ToldMetrics {
  /** Names of metrics, as Prometheus has them but for `istio_`. */
  readonly dropped: readonly string[];
  readonly changes: Readonly<Record<string, MetricChanges>>;
}

export interface MetricChanges {
  readonly added: readonly (readonly [label: string, value: string])[];
  readonly removed: readonly string[];
}

export type Labels = readonly (readonly [name: string, value: string | null])[];

/** The labels of a series for one of its metrics; null if that is not counted. */
export function toldLabels(usual: Labels, metric: string, told: ToldMetrics | null): Labels | null {
  if (told === null) return usual;
  const name = metric.replace(/^istio_/, '');
  if (told.dropped.includes(name)) return null;
  const changes = Object.hasOwn(told.changes, name) ? told.changes[name] : undefined;
  if (changes === undefined) return usual;
  const { added, removed } = changes;
  const isKept = (label: string): boolean =>
    !removed.includes(label) && !added.some(([name]) => name === label);
  return [...usual.filter(([label]) => isKept(label)), ...added];
}

/** Without values that requests make up, where there are too many of them already. */
export function withoutValues(told: ToldMetrics | null): ToldMetrics | null {
  if (told === null) return null;
  const changes = Object.entries(told.changes).map(([metric, { added, removed }]) => [
    metric,
    { added: added.map(([label]) => [label, 'unknown'] as const), removed },
  ]);
  return { dropped: told.dropped, changes: Object.fromEntries(changes) };
}
