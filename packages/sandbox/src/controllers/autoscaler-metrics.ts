/** The metrics of an autoscaler: from pods and what they use to a number of replicas, or why there is none. Pure. */
import type { ApiObject } from '@aquifer/kube-api';
import { err, ok, type Result } from '@aquifer/model';
import { quantityValue } from '@aquifer/model/kubernetes';
import { isReady } from './pod-state.ts';
import {
  type ResourceDecision,
  type ResourceTarget,
  replicasFor,
  type ScaledPod,
} from './replica-calculation.ts';

interface ResourceSource {
  readonly name: string;
  /** Of a ContainerResource: only this container counts. */
  readonly container?: string;
  readonly target: { readonly averageUtilization?: number; readonly averageValue?: string };
}

/** `spec.metrics[]`. */
export interface MetricSpec {
  readonly type: string;
  readonly resource?: ResourceSource;
  readonly containerResource?: ResourceSource;
}

export interface MetricReading {
  readonly replicas: number;
  /** As events and conditions name it. */
  readonly what: string;
  /** For `status.currentMetrics`. */
  readonly status: unknown;
}

/** Why a metric says nothing: `reason` of the event, its message, and how a summary words it. */
export interface MetricFailure {
  readonly reason: string;
  readonly message: string;
  readonly summary: string;
}

export interface ScaledPods {
  readonly pods: readonly ApiObject[];
  /** PodMetrics of the same namespace, by name. */
  readonly metrics: ReadonlyMap<string, ApiObject>;
  readonly replicas: number;
  readonly nowMs: number;
}

/** The sandbox measures processors and memory; other metrics fail as they do in a cluster without an adapter for them. */
export function readMetric(
  metric: MetricSpec,
  scaled: ScaledPods,
): Result<MetricReading, MetricFailure> {
  const source = metric.type === 'Resource' ? metric.resource : metric.containerResource;
  if (source === undefined) {
    const message = `no metrics API of the sandbox knows metrics of type ${metric.type}`;
    const reason = `FailedGet${metric.type}Metric`;
    return err({ reason, message, summary: `failed to get ${metric.type} metric: ${message}` });
  }
  const decision = decide(source, scaled);
  const { name } = source;
  if (!decision.ok) {
    const message = `failed to get ${name} ${isShare(source) ? 'utilization' : 'usage'}: ${decision.error}`;
    const reason = `FailedGet${metric.type}Metric`;
    const kind = source.container === undefined ? 'resource' : 'container resource';
    return err({
      reason,
      message,
      summary: `failed to get ${name} ${kind} metric value: ${message}`,
    });
  }
  const { replicas, utilization, average } = decision.value;
  const current = {
    ...(utilization === null ? {} : { averageUtilization: utilization }),
    averageValue: quantity(name, average),
  };
  const { container } = source;
  const kind = container === undefined ? 'resource' : 'container resource';
  const share = isShare(source) ? ' utilization (percentage of request)' : '';
  const status =
    container === undefined
      ? { type: 'Resource', resource: { name, current } }
      : { type: 'ContainerResource', containerResource: { name, container, current } };
  return ok({ replicas, what: `${name} ${kind}${share}`, status });
}

function isShare({ target }: ResourceSource): boolean {
  return target.averageUtilization !== undefined;
}

function decide(source: ResourceSource, scaled: ScaledPods): Result<ResourceDecision, string> {
  const { name, container, target } = source;
  const share = target.averageUtilization;
  if (share !== undefined) {
    for (const pod of scaled.pods) {
      const without = containersOf(pod, container).find((each) => requestOf(each, name) === null);
      if (without !== undefined) {
        return err(
          `missing request for ${name} in container ${without.name} of Pod ${pod.metadata.name}`,
        );
      }
    }
  }
  const wanted: ResourceTarget =
    share === undefined
      ? { kind: 'average', amount: quantityValue(target.averageValue) }
      : { kind: 'utilization', percent: share };
  const pods = scaled.pods.map((pod) => scaledPod(pod, source, scaled.metrics));
  if (pods.every(({ measured }) => measured === null)) {
    return err(
      `unable to get metrics for resource ${name}: no metrics returned from resource metrics API`,
    );
  }
  const { replicas, nowMs } = scaled;
  const decision = replicasFor(pods, wanted, { replicas, nowMs, isCpu: name === 'cpu' });
  return decision === null
    ? err('did not receive metrics for targeted pods (pods might be unready)')
    : ok(decision);
}

function scaledPod(
  pod: ApiObject,
  { name, container }: ResourceSource,
  metrics: ReadonlyMap<string, ApiObject>,
): ScaledPod {
  const { status = {}, metadata } = pod;
  const conditions: readonly { type: string; lastTransitionTime?: string }[] =
    status.conditions ?? [];
  const ready = conditions.find(({ type }) => type === 'Ready');
  const requests = containersOf(pod, container).map((each) => requestOf(each, name));
  return {
    isEnded: metadata.deletionTimestamp !== undefined || status.phase === 'Failed',
    isPending: status.phase === undefined || status.phase === 'Pending',
    isReady: isReady(pod),
    startedAtMs: timeOf(status.startTime),
    readySinceMs: timeOf(ready?.lastTransitionTime),
    requested: requests.includes(null)
      ? null
      : requests.reduce<number>((total, amount) => total + (amount ?? 0), 0),
    measured: measuredUse(metrics.get(metadata.name), name, container),
  };
}

function measuredUse(
  metrics: ApiObject | undefined,
  name: string,
  container: string | undefined,
): ScaledPod['measured'] {
  if (metrics === undefined) return null;
  const containers: readonly { name: string; usage: Record<string, string> }[] = metrics.containers;
  const counted = containers.filter((each) => container === undefined || each.name === container);
  if (counted.length === 0) return null;
  return {
    amount: counted.reduce((total, { usage }) => total + quantityValue(usage[name]), 0),
    atMs: Date.parse(metrics.timestamp),
    windowMs: Number.parseFloat(metrics.window) * 1000,
  };
}

interface RequestingContainer {
  readonly name: string;
  readonly resources?: { readonly requests?: Readonly<Record<string, unknown>> };
}

function containersOf(pod: ApiObject, name: string | undefined): readonly RequestingContainer[] {
  const all: readonly RequestingContainer[] = pod.spec.containers;
  return name === undefined ? all : all.filter((container) => container.name === name);
}

function requestOf({ resources }: RequestingContainer, name: string): number | null {
  const requested = resources?.requests?.[name];
  return requested === undefined ? null : quantityValue(requested);
}

function timeOf(text: string | undefined): number | null {
  return text === undefined ? null : Date.parse(text);
}

/** Processors in thousandths, memory in bytes. */
function quantity(name: string, amount: number): string {
  return name === 'cpu' ? `${Math.round(amount * 1000)}m` : `${Math.round(amount)}`;
}
