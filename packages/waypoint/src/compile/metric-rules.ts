// hot path: every request of a chain whose metrics are told apart by more than usual
/** Which of Istio's metrics a chain counts, and with which labels (Istio's `stats.PluginConfig`). */
import { type MetricConfig, PluginConfigSchema } from '@aquifer/wire/gen/istio/stats_pb';
import type { MetricChanges, ToldMetrics } from '../telemetry/told-metrics.ts';
import type { AccessRecord } from './access-record.ts';
import { isType, unpack } from './any.ts';
import { compileRecordExpression, textOfValue } from './record-expression.ts';

export interface MetricRules {
  /** Whether the record of a request is looked at; what is told is the same for all otherwise. */
  readonly looksAt: 'nothing' | 'requests';
  toldOf(record: AccessRecord | null): ToldMetrics;
}

/** As Prometheus has them. */
const METRICS = [
  'requests_total',
  'request_duration_milliseconds',
  'request_bytes',
  'response_bytes',
  'request_messages_total',
  'response_messages_total',
  'tcp_connections_opened_total',
  'tcp_connections_closed_total',
  'tcp_sent_bytes_total',
  'tcp_received_bytes_total',
] as const;

const UNKNOWN = 'unknown';

interface Filter {
  readonly configType: { readonly value?: Parameters<typeof isType>[0] };
}

interface Expressions {
  readonly byMetric: Map<string, Map<string, (record: AccessRecord) => string>>;
  readonly removed: Map<string, Set<string>>;
  readonly dropped: Set<string>;
}

/** Null where nothing is said: then everything is counted as usual. */
export function compileMetricRules(filters: readonly Filter[], path: string): MetricRules | null {
  const found: Expressions = { byMetric: new Map(), removed: new Map(), dropped: new Set() };
  let isSaid = false;
  for (const [i, { configType }] of filters.entries()) {
    if (!isType(configType.value, PluginConfigSchema)) continue;
    const { metrics } = unpack(configType.value, PluginConfigSchema, `${path}[${i}]`);
    for (const [j, metric] of metrics.entries()) add(metric, found, `${path}[${i}].metrics[${j}]`);
    isSaid ||= metrics.length > 0;
  }
  return isSaid ? rulesOf(found) : null;
}

/** What is said later is laid over what was said before. */
function add(
  { name, drop, dimensions, tagsToRemove }: MetricConfig,
  found: Expressions,
  path: string,
) {
  for (const metric of name === '' ? METRICS : [name]) {
    if (drop) found.dropped.add(metric);
    else found.dropped.delete(metric);
    const labels = found.byMetric.get(metric) ?? new Map();
    const removed = found.removed.get(metric) ?? new Set();
    found.byMetric.set(metric, labels);
    found.removed.set(metric, removed);
    for (const [label, expression] of Object.entries(dimensions)) {
      const read = compileRecordExpression(expression, `${path}.dimensions[${label}]`);
      labels.set(labelName(label), (record: AccessRecord) => labelValue(read(record)));
      removed.delete(labelName(label));
    }
    for (const label of tagsToRemove) {
      removed.add(labelName(label));
      labels.delete(labelName(label));
    }
  }
}

/** Histograms have this label already. */
const OF_BUCKETS = 'le';

/** Prometheus has fewer characters for the names of labels than people have. */
function labelName(text: string): string {
  const name = text.replace(/[^a-zA-Z0-9_]/g, '_').replace(/^(?=\d|$)/, '_');
  return name === OF_BUCKETS ? `_${name}` : name;
}

const MAX_VALUE_LENGTH = 256;

/** Requests may make it up, and it is kept for every metric of a series. */
function labelValue(value: unknown): string {
  const text = textOfValue(value) ?? UNKNOWN;
  if (text.length <= MAX_VALUE_LENGTH) return text;
  // A part of a text would keep all of it.
  return Buffer.from(text.slice(0, MAX_VALUE_LENGTH)).toString();
}

function rulesOf({ byMetric, removed, dropped }: Expressions): MetricRules {
  const isVaried = [...byMetric.values()].some(({ size }) => size > 0);
  const toldOf = (record: AccessRecord | null): ToldMetrics => {
    const changes: Record<string, MetricChanges> = {};
    for (const [metric, labels] of byMetric) {
      const values = Array.from(labels, ([label, read]): [string, string] => [
        label,
        record === null ? UNKNOWN : read(record),
      ]);
      changes[metric] = { added: values, removed: [...(removed.get(metric) ?? [])] };
    }
    return { dropped: [...dropped], changes };
  };
  if (isVaried) return { looksAt: 'requests', toldOf };
  const always = toldOf(null);
  return { looksAt: 'nothing', toldOf: () => always };
}
