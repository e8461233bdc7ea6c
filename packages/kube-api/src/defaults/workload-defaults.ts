/** Defaults of the kinds that make pods (kubernetes `pkg/apis/{apps,batch}/v1/defaults.go`). */
import { randomUUID } from 'node:crypto';
import { isObject, type JsonObject, objectOr } from '../json.ts';
import { fill, fillEmpty, itemsOf, madeObject } from './fill.ts';
import { podSpecDefaults } from './pod-defaults.ts';
import { claimDefaults } from './volume-defaults.ts';

function templateDefaults(spec: JsonObject): void {
  // Go's types have a template and its spec even where nothing was sent.
  const template = madeObject(spec, 'template');
  fill(template, 'metadata', {});
  podSpecDefaults(madeObject(template, 'spec'));
}

/** The settings of a rolling update, which is what updates are by default; null for other types. */
function rollingUpdate(spec: JsonObject, field: string): JsonObject | null {
  const strategy = madeObject(spec, field);
  fillEmpty(strategy, 'type', 'RollingUpdate');
  return strategy.type === 'RollingUpdate' ? madeObject(strategy, 'rollingUpdate') : null;
}

/** One replica, a rolling update by a quarter, ten old revisions, ten minutes to progress. */
export function deploymentDefaults(deployment: JsonObject): void {
  const spec = objectOr(deployment.spec);
  templateDefaults(spec);
  fill(spec, 'replicas', 1);
  const update = rollingUpdate(spec, 'strategy');
  if (update !== null) {
    fill(update, 'maxUnavailable', '25%');
    fill(update, 'maxSurge', '25%');
  }
  fill(spec, 'revisionHistoryLimit', 10);
  fill(spec, 'progressDeadlineSeconds', 600);
  fill(deployment, 'status', {});
}

/** One replica. */
export function replicaSetDefaults(replicaSet: JsonObject): void {
  const spec = objectOr(replicaSet.spec);
  templateDefaults(spec);
  fill(spec, 'replicas', 1);
  fill(replicaSet, 'status', { replicas: 0 });
}

/** A rolling update node by node, ten old revisions. */
export function daemonSetDefaults(daemonSet: JsonObject): void {
  const spec = objectOr(daemonSet.spec);
  templateDefaults(spec);
  const update = rollingUpdate(spec, 'updateStrategy');
  if (update !== null) {
    fill(update, 'maxUnavailable', 1);
    fill(update, 'maxSurge', 0);
  }
  fill(spec, 'revisionHistoryLimit', 10);
  fill(daemonSet, 'status', {
    currentNumberScheduled: 0,
    numberMisscheduled: 0,
    desiredNumberScheduled: 0,
    numberReady: 0,
  });
}

/** One replica, updated in order, volumes kept. */
export function statefulSetDefaults(statefulSet: JsonObject): void {
  const spec = objectOr(statefulSet.spec);
  templateDefaults(spec);
  fill(spec, 'replicas', 1);
  fillEmpty(spec, 'podManagementPolicy', 'OrderedReady');
  const strategy = madeObject(spec, 'updateStrategy');
  // A type that was chosen stands alone.
  if (strategy.type === undefined) fill(strategy, 'rollingUpdate', {});
  fillEmpty(strategy, 'type', 'RollingUpdate');
  if (isObject(strategy.rollingUpdate)) fill(strategy.rollingUpdate, 'partition', 0);
  fill(spec, 'revisionHistoryLimit', 10);
  const retention = madeObject(spec, 'persistentVolumeClaimRetentionPolicy');
  fillEmpty(retention, 'whenDeleted', 'Retain');
  fillEmpty(retention, 'whenScaled', 'Retain');
  for (const claim of itemsOf(spec, 'volumeClaimTemplates')) {
    claim.apiVersion = 'v1';
    claim.kind = 'PersistentVolumeClaim';
    claimDefaults(claim);
  }
  fill(statefulSet, 'status', { replicas: 0, availableReplicas: 0 });
}

/** What a Job's spec has, and that of a CronJob's template too. */
function jobTemplateDefaults(spec: JsonObject): void {
  templateDefaults(spec);
  for (const rule of itemsOf(objectOr(spec.podFailurePolicy), 'rules')) {
    for (const pattern of itemsOf(rule, 'onPodConditions')) fillEmpty(pattern, 'status', 'True');
  }
}

const MAX_INT32 = 2 ** 31 - 1;

/** One pod, six retries. */
export function jobDefaults(job: JsonObject): void {
  const spec = objectOr(job.spec);
  jobTemplateDefaults(spec);
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  fill(spec, 'parallelism', 1);
  fill(spec, 'backoffLimit', spec.backoffLimitPerIndex === undefined ? 6 : MAX_INT32);
  fill(spec, 'completionMode', 'NonIndexed');
  fill(spec, 'suspend', false);
  const replacement = spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed';
  fill(spec, 'podReplacementPolicy', replacement);
  fill(spec, 'manualSelector', false);
  fill(job, 'status', {});
}

/** A job selects its pods by a label that only it has, unless the user chose a selector. */
export function admitJob(job: JsonObject): void {
  const spec = objectOr(job.spec);
  const template = objectOr(spec.template);
  if (spec.manualSelector === true || spec.selector !== undefined) return;
  const metadata = objectOr(job.metadata);
  metadata.uid ??= randomUUID();
  const chosen = { 'batch.kubernetes.io/controller-uid': metadata.uid };
  const templateMetadata = objectOr(template.metadata);
  templateMetadata.labels = {
    ...objectOr(templateMetadata.labels),
    ...chosen,
    'batch.kubernetes.io/job-name': metadata.name,
    'controller-uid': metadata.uid,
    'job-name': metadata.name,
  };
  template.metadata = templateMetadata;
  spec.template = template;
  // A job without labels has those of its pods.
  if (Object.keys(objectOr(metadata.labels)).length === 0) {
    metadata.labels = { ...objectOr(templateMetadata.labels) };
  }
  spec.selector = { matchLabels: chosen };
}

/** Concurrent runs, three successful and one failed job kept. */
export function cronJobDefaults(cronJob: JsonObject): void {
  const spec = objectOr(cronJob.spec);
  fillEmpty(spec, 'concurrencyPolicy', 'Allow');
  fill(spec, 'suspend', false);
  fill(spec, 'successfulJobsHistoryLimit', 3);
  fill(spec, 'failedJobsHistoryLimit', 1);
  const template = madeObject(spec, 'jobTemplate');
  fill(template, 'metadata', {});
  jobTemplateDefaults(madeObject(template, 'spec'));
  fill(cronJob, 'status', {});
}

/** Nothing may be disrupted until somebody has counted. */
export function disruptionBudgetDefaults(budget: JsonObject): void {
  const status = madeObject(budget, 'status');
  for (const count of ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods']) {
    fill(status, count, 0);
  }
}
