/** HorizontalPodAutoscaler: the size of a target follows what its pods use. */
import type { ApiObject, MetricsSource, ResourceKey } from '@aquifer/kube-api';
import { selects, timestampOf } from '@aquifer/model/kubernetes';
import {
  type MetricFailure,
  type MetricReading,
  type MetricSpec,
  readMetric,
} from './autoscaler-metrics.ts';
import type { Controller, ControllerDeps } from './controller.ts';
import { runController } from './controller.ts';
import { AUTOSCALERS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS } from './resource-keys.ts';
import { NO_HISTORY, type Paced, pace, type ScalingHistory } from './scaling-behavior.ts';
import { timedCondition, writeStatus } from './write-status.ts';

/** As often as the kubelets measure. */
const SYNC_MS = 5_000;

const TARGETS: Readonly<Record<string, ResourceKey>> = {
  Deployment: DEPLOYMENTS,
  ReplicaSet: REPLICA_SETS,
  StatefulSet: STATEFUL_SETS,
};

type Finding = readonly [type: string, isTrue: boolean, reason: string, message: string];

/** What one look at an autoscaler led to. `reason` tells why, where the size is to change. */
interface Outcome extends ReadMetrics {
  readonly desired: number;
  readonly reason: string;
  readonly findings: readonly Finding[];
}

export function runAutoscalers(deps: ControllerDeps): Controller {
  const { client, informers, events } = deps;
  const histories = new Map<string, ScalingHistory>();
  const controller = runController(
    deps,
    { parents: informers.autoscalers, kind: 'HorizontalPodAutoscaler' },
    async (autoscaler) => {
      controller.look(autoscaler, SYNC_MS);
      const { namespace = '', uid = '' } = autoscaler.metadata;
      const { kind, name } = autoscaler.spec.scaleTargetRef;
      const key = TARGETS[kind];
      const target = key === undefined ? null : await client.get(key, name, namespace);
      if (key === undefined || target === null) {
        const message = `no ${kind} "${name}" that can be scaled`;
        events.warning(autoscaler, 'FailedGetScale', message);
        const why = `the HPA controller was unable to get the target's current scale: ${message}`;
        await report(deps, autoscaler, {
          conditions: [['AbleToScale', false, 'FailedGetScale', why]],
        });
        return;
      }
      const current: number = target.spec.replicas ?? 1;
      const past = histories.get(uid) ?? NO_HISTORY;
      const { outcome, history } = look(autoscaler, target, past, deps);
      histories.set(uid, history);
      for (const { reason, message } of outcome.failures)
        events.warning(autoscaler, reason, message);
      const { desired, findings } = outcome;
      if (desired === current) {
        await report(deps, autoscaler, { outcome, current, conditions: findings });
        return;
      }
      await client.mergePatch(key, { name, namespace }, { spec: { replicas: desired } });
      const change = { atMs: Date.now(), replicas: desired - current };
      histories.set(uid, { ...history, changes: [...history.changes, change] });
      events.normal(
        autoscaler,
        'SuccessfulRescale',
        `New size: ${desired}; reason: ${outcome.reason}`,
      );
      const message = `the HPA controller was able to update the target scale to ${desired}`;
      const scaled: Finding = ['AbleToScale', true, 'SucceededRescale', message];
      const others = findings.filter(([type]) => type !== 'AbleToScale');
      await report(deps, autoscaler, {
        outcome,
        current,
        conditions: [scaled, ...others],
        lastScaleTime: timestampOf(new Date()),
      });
    },
  );
  return controller;
}

async function report(
  { client }: ControllerDeps,
  autoscaler: ApiObject,
  seen: {
    readonly outcome?: Outcome;
    readonly current?: number;
    readonly conditions: readonly Finding[];
    readonly lastScaleTime?: string;
  },
): Promise<void> {
  const { outcome, current, lastScaleTime } = seen;
  const conditions = seen.conditions.map(([type, isTrue, reason, message]) => {
    const status = isTrue ? 'True' : 'False';
    const { lastUpdateTime: _none, ...condition } = timedCondition(autoscaler, {
      type,
      status,
      reason,
      message,
    });
    return condition;
  });
  await writeStatus(client, AUTOSCALERS, autoscaler, {
    observedGeneration: autoscaler.metadata.generation,
    conditions,
    ...(lastScaleTime === undefined ? {} : { lastScaleTime }),
    ...(current === undefined ? {} : { currentReplicas: current }),
    ...(outcome === undefined
      ? {}
      : {
          desiredReplicas: outcome.desired,
          currentMetrics: outcome.readings.map(({ status }) => status),
        }),
  });
}

function look(
  autoscaler: ApiObject,
  target: ApiObject,
  past: ScalingHistory,
  deps: ControllerDeps,
): { outcome: Outcome; history: ScalingHistory } {
  const { minReplicas: min = 1, maxReplicas: max } = autoscaler.spec;
  const current: number = target.spec.replicas ?? 1;
  const keep = { desired: current, reason: '', readings: [], failures: [] };
  const able: Finding = [
    'AbleToScale',
    true,
    'SucceededGetScale',
    "the HPA controller was able to get the target's current scale",
  ];
  if (current === 0) {
    const why = 'scaling is disabled since the replica count of the target is zero';
    const findings: Finding[] = [able, ['ScalingActive', false, 'ScalingDisabled', why]];
    return { outcome: { ...keep, findings }, history: past };
  }
  if (current > max || current < min) {
    const reason =
      current > max
        ? 'Current number of replicas above Spec.MaxReplicas'
        : 'Current number of replicas below Spec.MinReplicas';
    const desired = current > max ? max : min;
    return { outcome: { ...keep, desired, reason, findings: [able] }, history: past };
  }
  const read = readMetrics(autoscaler, target, deps);
  const wanted = Math.max(...read.readings.map(({ replicas }) => replicas));
  // What is not known must not take pods away.
  const isKnown = read.readings.length > 0 && (read.failures.length === 0 || wanted >= current);
  if (!isKnown) {
    const outcome = { ...keep, ...unknownOutcome(read), findings: [able, notActive(read)] };
    return { outcome, history: past };
  }
  const paced = pace({ current, wanted, nowMs: Date.now() }, autoscaler.spec.behavior ?? {}, past);
  return {
    outcome: pacedOutcome(paced, { ...read, current, wanted, min, max }),
    history: paced.history,
  };
}

interface ReadMetrics {
  readonly readings: readonly MetricReading[];
  readonly failures: readonly MetricFailure[];
}

function pacedOutcome(
  paced: Paced,
  seen: ReadMetrics & { current: number; wanted: number; min: number; max: number },
): Outcome {
  const { readings, failures, current, wanted, min, max } = seen;
  const desired = Math.min(max, Math.max(min, paced.replicas));
  const what = readings.find(({ replicas }) => replicas === wanted)?.what ?? '';
  const valid = `the HPA was able to successfully calculate a replica count from ${what}`;
  const findings: Finding[] = [
    ableToScale(paced, current),
    ['ScalingActive', true, 'ValidMetricFound', valid],
    scalingLimited(paced, { min, max }),
  ];
  const reason = desired > current ? `${what} above target` : 'All metrics below target';
  return { desired, reason, findings, readings, failures };
}

function notActive({ failures: [first] }: ReadMetrics): Finding {
  const why = `the HPA was unable to compute the replica count: ${first?.message}`;
  return ['ScalingActive', false, first?.reason ?? '', why];
}

function unknownOutcome({ readings, failures }: ReadMetrics): ReadMetrics {
  const total = readings.length + failures.length;
  const message = `invalid metrics (${failures.length} invalid out of ${total}), first error is: ${failures[0]?.summary}`;
  const summary = { reason: 'FailedComputeMetricsReplicas', message, summary: message };
  return { readings, failures: [...failures, summary] };
}

function readMetrics(
  autoscaler: ApiObject,
  target: ApiObject,
  { informers, metrics }: ControllerDeps,
): ReadMetrics {
  const { namespace } = autoscaler.metadata;
  const pods = informers.pods
    .list(namespace)
    .filter(({ metadata }) => selects(target.spec.selector ?? {}, metadata.labels));
  const scaled = {
    pods,
    metrics: podMetrics(metrics, namespace),
    replicas: target.spec.replicas ?? 1,
    nowMs: Date.now(),
  };
  const readings: MetricReading[] = [];
  const failures: MetricFailure[] = [];
  for (const metric of (autoscaler.spec.metrics ?? []) as readonly MetricSpec[]) {
    const reading = readMetric(metric, scaled);
    if (reading.ok) readings.push(reading.value);
    else failures.push(reading.error);
  }
  return { readings, failures };
}

function podMetrics(
  source: MetricsSource,
  namespace: string | undefined,
): ReadonlyMap<string, ApiObject> {
  const own = source.pods().filter(({ metadata }) => metadata.namespace === namespace);
  return new Map(own.map((pod) => [pod.metadata.name, pod]));
}

function ableToScale({ replicas, heldBy }: Paced, current: number): Finding {
  if (heldBy !== 'past') {
    const message = 'recommended size matches current size';
    return ['AbleToScale', true, 'ReadyForNewScale', message];
  }
  return replicas >= current
    ? [
        'AbleToScale',
        true,
        'ScaleDownStabilized',
        'recent recommendations were higher than current one, applying the highest recent recommendation',
      ]
    : [
        'AbleToScale',
        true,
        'ScaleUpStabilized',
        'recent recommendations were lower than current one, applying the lowest recent recommendation',
      ];
}

function scalingLimited(
  { replicas, heldBy }: Paced,
  { min, max }: { readonly min: number; readonly max: number },
): Finding {
  if (replicas > max) {
    const message = 'the desired replica count is more than the maximum replica count';
    return ['ScalingLimited', true, 'TooManyReplicas', message];
  }
  if (replicas < min) {
    const message = 'the desired replica count is less than the minimum replica count';
    return ['ScalingLimited', true, 'TooFewReplicas', message];
  }
  if (heldBy === 'policies') {
    const message = 'the desired replica count is changing faster than the maximum scale rate';
    return ['ScalingLimited', true, 'ScaleRateLimit', message];
  }
  const message = 'the desired count is within the acceptable range';
  return ['ScalingLimited', false, 'DesiredWithinRange', message];
}
