/** Defaults of the kinds that make pods (kubernetes `pkg/apis/{apps,batch}/v1/defaults.go`). */
import { randomUUID } from 'node:crypto';
import { isObject, type JsonObject, objectOr } from '../json.ts';
import { fill, podSpecDefaults } from './pod-defaults.ts';

function templateDefaults(spec: JsonObject): void {
  // Go's types have a template and its spec even where nothing was sent.
  fill(spec, 'template', {});
  fill(objectOr(spec.template), 'spec', {});
  podSpecDefaults(objectOr(objectOr(spec.template).spec));
}

/** One replica, a rolling update by a quarter, ten old revisions, ten minutes to progress. */
export function deploymentDefaults(deployment: JsonObject): void {
  const spec = objectOr(deployment.spec);
  templateDefaults(spec);
  fill(spec, 'replicas', 1);
  fill(spec, 'strategy', {});
  const strategy = objectOr(spec.strategy);
  fill(strategy, 'type', 'RollingUpdate');
  if (strategy.type === 'RollingUpdate') {
    fill(strategy, 'rollingUpdate', {});
    fill(objectOr(strategy.rollingUpdate), 'maxUnavailable', '25%');
    fill(objectOr(strategy.rollingUpdate), 'maxSurge', '25%');
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
  fill(spec, 'updateStrategy', {});
  const strategy = objectOr(spec.updateStrategy);
  fill(strategy, 'type', 'RollingUpdate');
  if (strategy.type === 'RollingUpdate') {
    fill(strategy, 'rollingUpdate', {});
    fill(objectOr(strategy.rollingUpdate), 'maxUnavailable', 1);
    fill(objectOr(strategy.rollingUpdate), 'maxSurge', 0);
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
  fill(spec, 'podManagementPolicy', 'OrderedReady');
  fill(spec, 'updateStrategy', { type: 'RollingUpdate', rollingUpdate: { partition: 0 } });
  fill(spec, 'revisionHistoryLimit', 10);
  fill(spec, 'persistentVolumeClaimRetentionPolicy', {
    whenDeleted: 'Retain',
    whenScaled: 'Retain',
  });
  fill(statefulSet, 'status', { replicas: 0, availableReplicas: 0 });
}

function jobSpecDefaults(spec: JsonObject): void {
  templateDefaults(spec);
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  fill(spec, 'parallelism', 1);
  fill(spec, 'backoffLimit', 6);
  fill(spec, 'completionMode', 'NonIndexed');
  fill(spec, 'suspend', false);
  fill(spec, 'podReplacementPolicy', 'TerminatingOrFailed');
}

/** One pod, six retries. */
export function jobDefaults(job: JsonObject): void {
  jobSpecDefaults(objectOr(job.spec));
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
  fill(spec, 'concurrencyPolicy', 'Allow');
  fill(spec, 'suspend', false);
  fill(spec, 'successfulJobsHistoryLimit', 3);
  fill(spec, 'failedJobsHistoryLimit', 1);
  const template = objectOr(objectOr(spec.jobTemplate).spec);
  if (isObject(template.template)) templateDefaults(template);
  fill(cronJob, 'status', {});
}
