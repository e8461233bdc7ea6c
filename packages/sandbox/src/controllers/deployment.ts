/** Rolls a Deployment's pods from one template to the next by way of one ReplicaSet per template. */
import type { ApiObject } from '@aquifer/kube-api';
import { claimChildren } from './claims.ts';
import type { Controller, ControllerDeps } from './controller.ts';
import { runController } from './controller.ts';
import { deploymentStatus } from './deployment-status.ts';
import { controlledBy, templateHash } from './pod-template.ts';
import { DEPLOYMENTS, REPLICA_SETS } from './resource-keys.ts';
import { planRollout, type SetPlan } from './rollout.ts';
import { isResized, planScaling, sizeAnnotations } from './scaling.ts';
import { writeStatus } from './write-status.ts';

const REVISION = 'deployment.kubernetes.io/revision';
const HASH_LABEL = 'pod-template-hash';
const DEFAULT_HISTORY_LIMIT = 10;
/** How soon the informer shows what was claimed. */
const CLAIM_RETRY_MS = 10;

export function runDeployments(deps: ControllerDeps): Controller {
  const { client, informers, events } = deps;
  const controller = runController(
    deps,
    { parents: informers.deployments, kind: 'Deployment', children: informers.replicaSets },
    async (deployment) => {
      if (deployment.metadata.deletionTimestamp !== undefined) return;
      if (await claimChildren(client, informers.replicaSets, deployment)) {
        controller.look(deployment, CLAIM_RETRY_MS);
        return;
      }
      const sets = informers.replicaSets.ownedBy(deployment);
      const hash = templateHash(deployment.spec.template);
      let current = sets.find(({ metadata }) => metadata.labels?.[HASH_LABEL] === hash) ?? null;
      const isPaused = deployment.spec.paused === true;
      if (current === null && !isPaused) {
        current = await client.create(
          REPLICA_SETS,
          replicaSet(deployment, hash, nextRevision(sets)),
        );
        sets.push(current);
      } else if (current !== null) {
        current = await renewRevision(deps, current, sets);
        current = await copyAnnotations(deps, deployment, current);
      }
      await copyRevision(deps, deployment, current);
      const old = sets.filter(({ metadata }) => metadata.uid !== current?.metadata.uid);
      if (isPaused || isResized(deployment, sets)) {
        for (const plan of planScaling(deployment, current, old)) await resize(plan, deployment);
      } else if (current !== null) {
        for (const plan of planRollout(deployment, current, old)) await scale(plan, deployment);
        await forgetOldSets(deps, deployment, old);
      }
      await writeStatus(
        client,
        DEPLOYMENTS,
        deployment,
        deploymentStatus(deployment, current, old),
      );
    },
  );

  return controller;

  /** Also marks a set that keeps its number for the new size. */
  async function resize(plan: SetPlan, deployment: ApiObject): Promise<void> {
    const { name, namespace = '', annotations = {} } = plan.set.metadata;
    const wanted = sizeAnnotations(deployment);
    if (plan.set.spec.replicas !== plan.replicas) await scale(plan, deployment);
    else if (Object.entries(wanted).some(([key, value]) => annotations[key] !== value)) {
      const metadata = { annotations: wanted };
      await client.mergePatch(REPLICA_SETS, { name, namespace }, { metadata });
    }
  }

  async function scale({ set, replicas }: SetPlan, deployment: ApiObject): Promise<void> {
    const before: number = set.spec.replicas ?? 0;
    if (before === replicas) return;
    const { name, namespace = '' } = set.metadata;
    const metadata = { annotations: sizeAnnotations(deployment) };
    await client.mergePatch(REPLICA_SETS, { name, namespace }, { metadata, spec: { replicas } });
    const direction = replicas > before ? 'up' : 'down';
    events.normal(
      deployment,
      'ScalingReplicaSet',
      `Scaled ${direction} replica set ${name} from ${before} to ${replicas}`,
    );
  }
}

function replicaSet(deployment: ApiObject, hash: string, revision: number): ApiObject {
  const { metadata, spec } = deployment;
  const template = structuredClone(spec.template);
  template.metadata = {
    ...template.metadata,
    labels: { ...template.metadata?.labels, [HASH_LABEL]: hash },
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${metadata.name}-${hash}`,
      namespace: metadata.namespace ?? '',
      labels: template.metadata.labels,
      annotations: {
        ...inherited(deployment),
        ...sizeAnnotations(deployment),
        [REVISION]: String(revision),
      },
      ownerReferences: controlledBy(deployment),
    },
    spec: {
      replicas: 0,
      ...(spec.minReadySeconds === undefined ? {} : { minReadySeconds: spec.minReadySeconds }),
      selector: {
        ...spec.selector,
        matchLabels: { ...spec.selector.matchLabels, [HASH_LABEL]: hash },
      },
      template,
    },
  };
}

/** Annotations of a Deployment that its replica sets do not take over. */
const ownAnnotations: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  'deployment.kubernetes.io/revision-history',
  'deployment.kubernetes.io/desired-replicas',
  'deployment.kubernetes.io/max-replicas',
]);

function inherited({ metadata }: ApiObject): Record<string, string> {
  const entries = Object.entries(metadata.annotations ?? {});
  return Object.fromEntries(entries.filter(([key]) => !ownAnnotations.has(key)));
}

/** The current set follows the Deployment's annotations, such as the cause of the change. */
async function copyAnnotations(
  { client }: ControllerDeps,
  deployment: ApiObject,
  current: ApiObject,
): Promise<ApiObject> {
  const annotations = inherited(deployment);
  const before = current.metadata.annotations ?? {};
  if (Object.entries(annotations).every(([key, value]) => before[key] === value)) return current;
  const { name, namespace = '' } = current.metadata;
  return client.mergePatch(REPLICA_SETS, { name, namespace }, { metadata: { annotations } });
}

function revisionOf({ metadata }: ApiObject): number {
  return Number(metadata.annotations?.[REVISION] ?? 0);
}

function nextRevision(sets: readonly ApiObject[]): number {
  return Math.max(0, ...sets.map(revisionOf)) + 1;
}

/** A set that becomes current again (a rollback) gets the newest revision. */
async function renewRevision(
  { client }: ControllerDeps,
  current: ApiObject,
  sets: readonly ApiObject[],
): Promise<ApiObject> {
  const others = sets.filter((set) => set !== current);
  if (others.every((set) => revisionOf(set) < revisionOf(current))) return current;
  const { name, namespace = '' } = current.metadata;
  const annotations = { [REVISION]: String(nextRevision(others)) };
  return client.mergePatch(REPLICA_SETS, { name, namespace }, { metadata: { annotations } });
}

async function copyRevision(
  { client }: ControllerDeps,
  deployment: ApiObject,
  current: ApiObject | null,
): Promise<void> {
  const { name, namespace = '', annotations } = deployment.metadata;
  const revision = current?.metadata.annotations?.[REVISION];
  if (revision === undefined || annotations?.[REVISION] === revision) return;
  const patch = { metadata: { annotations: { [REVISION]: revision } } };
  await client.mergePatch(DEPLOYMENTS, { name, namespace }, patch);
}

async function forgetOldSets(
  { client }: ControllerDeps,
  deployment: ApiObject,
  old: readonly ApiObject[],
): Promise<void> {
  const limit: number = deployment.spec.revisionHistoryLimit ?? DEFAULT_HISTORY_LIMIT;
  const empty = old.filter(({ spec, status }) => spec.replicas === 0 && !status?.replicas);
  const byAge = empty.toSorted((one, other) => revisionOf(one) - revisionOf(other));
  for (const { metadata } of byAge.slice(0, Math.max(0, empty.length - limit))) {
    const { name, namespace = '' } = metadata;
    await client.delete(REPLICA_SETS, { name, namespace });
  }
}
