/** Which metrics are counted, and with which labels, of all that is said in one place after another (Istio docs "Telemetry", metrics). */
import type { Telemetry } from '@aquifer/model/resources';
import type { MeshTelemetry } from './mesh-telemetry.ts';
import { holdsFor, namesOf, type Side } from './side.ts';

type Metrics = NonNullable<NonNullable<Telemetry['spec']>['metrics']>[number];
type Override = NonNullable<Metrics['overrides']>[number];

/** What differs from how a metric is counted by itself. */
export interface MetricRule {
  /** As Prometheus has it, without `istio_`; of a metric that is none of Istio's, its own name. */
  readonly metric: string;
  readonly isDropped: boolean;
  /** Expressions by label. */
  readonly labels: Readonly<Record<string, string>>;
  readonly removedLabels: readonly string[];
}

export interface MetricsChoice {
  readonly reportingInterval: string | null;
  /** `none`: nothing is counted. Sorted as Istio sorts them. */
  readonly rules: readonly MetricRule[] | 'none';
}

/** By the names that resources have for them. */
export const METRICS: Readonly<Record<string, string>> = {
  GRPC_REQUEST_MESSAGES: 'request_messages_total',
  GRPC_RESPONSE_MESSAGES: 'response_messages_total',
  REQUEST_COUNT: 'requests_total',
  REQUEST_DURATION: 'request_duration_milliseconds',
  REQUEST_SIZE: 'request_bytes',
  RESPONSE_SIZE: 'response_bytes',
  TCP_CLOSED_CONNECTIONS: 'tcp_connections_closed_total',
  TCP_OPENED_CONNECTIONS: 'tcp_connections_opened_total',
  TCP_RECEIVED_BYTES: 'tcp_received_bytes_total',
  TCP_SENT_BYTES: 'tcp_sent_bytes_total',
};

/** By the names of providers. The last that names providers says which count; rules are laid over each other. */
export function mergedMetrics(
  said: readonly Metrics[],
  side: Side,
  { defaultProviders }: Pick<MeshTelemetry, 'defaultProviders'>,
): ReadonlyMap<string, MetricsChoice> {
  const usual = defaultProviders.metrics;
  const counting = said.reduce((names, { providers }) => namesOf(providers, names), usual);
  const states = new Map<string, State>();
  if (said.length === 0) for (const name of usual) states.set(name, new State());
  let names = usual;
  for (const { providers, overrides = [], reportingInterval } of said) {
    names = namesOf(providers, names);
    for (const name of names.filter((each) => counting.includes(each))) {
      const state = states.get(name) ?? new State();
      states.set(name, state);
      state.reportingInterval = reportingInterval ?? state.reportingInterval;
      for (const override of overrides) {
        if (holdsFor(override.match?.mode, side)) state.lay(override);
      }
    }
  }
  return new Map(Array.from(states, ([name, state]) => [name, state.choice()]));
}

interface Laid {
  isDropped: boolean;
  readonly tags: Map<string, { readonly removed: boolean; readonly value: string }>;
}

/** Rules of one provider, as they are laid over each other. */
class State {
  reportingInterval: string | null = null;
  readonly #byMetric = new Map<string, Laid>();
  #isOff = false;

  /** To count nothing, and to count something again, is said of all metrics at once. */
  lay(override: Override): void {
    const named = metricsNamed(override);
    this.#isOff = named === 'all' && override.disabled === true;
    if (this.#isOff) return;
    for (const each of named === 'all' ? Object.keys(METRICS) : [named.name]) {
      const laid = this.#byMetric.get(each) ?? { isDropped: false, tags: new Map() };
      this.#byMetric.set(each, laid);
      layOver(laid, override);
    }
  }

  choice(): MetricsChoice {
    const { reportingInterval } = this;
    if (this.#isOff) return { reportingInterval, rules: 'none' };
    const inOrder = [...this.#byMetric].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return { reportingInterval, rules: inOrder.map(([name, laid]) => ruleOf(name, laid)) };
  }
}

function metricsNamed({ match }: Override): 'all' | { readonly name: string } {
  const name = match?.customMetric ?? match?.metric ?? 'ALL_METRICS';
  const isOfAll = match?.customMetric === undefined && name === 'ALL_METRICS';
  return isOfAll ? 'all' : { name };
}

function layOver(laid: Laid, { disabled, tagOverrides = {} }: Override): void {
  laid.isDropped = disabled ?? laid.isDropped;
  for (const [label, { operation, value = '' }] of Object.entries(tagOverrides)) {
    laid.tags.set(label, { removed: operation === 'REMOVE', value });
  }
}

function ruleOf(name: string, { isDropped, tags }: Laid): MetricRule {
  const inOrder = [...tags].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    metric: Object.hasOwn(METRICS, name) ? METRICS[name]! : name,
    isDropped,
    labels: Object.fromEntries(
      inOrder.flatMap(([label, { removed, value }]) => (removed ? [] : [[label, value]])),
    ),
    removedLabels: inOrder.flatMap(([label, { removed }]) => (removed ? [label] : [])),
  };
}
