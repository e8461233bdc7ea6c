/** Which of Istio's metrics a chain counts, and how (recordings l7/27, 28). Only our own waypoints and Istio's Envoy know it. */
import { PluginConfigSchema, Reporter } from '@aquifer/wire/gen/istio/stats_pb';
import { expressionProblem } from '../telemetry/expressions.ts';
import { METRICS, type MetricRule, type MetricsChoice } from '../telemetry/merged-metrics.ts';
import { durationOf, type Extension, extension } from './packed.ts';

/** Of a waypoint; none where the mesh asks for no metrics, where it counts as it does by itself. */
export function statsFilters(metrics: MetricsChoice | null): Extension[] {
  if (metrics === null) return [];
  const { rules, reportingInterval } = metrics;
  const config = {
    disableHostHeaderFallback: true,
    reporter: Reporter.SERVER_GATEWAY,
    tcpReportingDuration: durationOf(reportingInterval ?? undefined),
    metrics: (rules === 'none' ? NOTHING : rules).map((rule) => ({
      name: rule.metric,
      drop: rule.isDropped,
      dimensions: followed(rule.labels),
      tagsToRemove: [...rule.removedLabels],
    })),
  };
  return [extension('istio.stats', PluginConfigSchema, config)];
}

/** A waypoint would refuse its whole listener for a label that is no expression: its condition says what is wrong. */
function followed(labels: MetricRule['labels']): Record<string, string> {
  const all = Object.entries(labels);
  return Object.fromEntries(all.filter(([, text]) => expressionProblem(text) === null));
}

/** Istio leaves the filter out; a waypoint of ours would count everything then (docs/adr/0047-what-proxies-tell.md). */
const NOTHING: readonly MetricRule[] = Object.values(METRICS).map((metric) => ({
  metric,
  isDropped: true,
  labels: {},
  removedLabels: [],
}));
