/** The status of PodDisruptionBudgets: how many of the selected pods serve, and how many may go. */
import type { ApiObject } from '@aquifer/kube-api';
import type { Controller, ControllerDeps, Informers } from './controller.ts';
import { runController } from './controller.ts';
import { controllerOf } from './informer.ts';
import { matchesSelector } from './label-selector.ts';
import { isActive, isReady } from './pod-state.ts';
import { canonical } from './pod-template.ts';
import { DISRUPTION_BUDGETS } from './resource-keys.ts';

/** How long an eviction may take from its grant to the deletion (as kube-controller-manager's DeletionTimeout). */
const EVICTION_MS = 120_000;

export function runDisruptionBudgets(deps: ControllerDeps): Controller {
  const { client, informers } = deps;
  const budgets = informers.disruptionBudgets;
  const controller = runController(
    deps,
    { parents: budgets, kind: 'PodDisruptionBudget' },
    async (budget) => {
      const { name, namespace = '', generation = 0 } = budget.metadata;
      const disrupted = disruptedPods(budget, informers);
      const counts = budgetStatus(budget, informers, disrupted);
      const status = {
        ...counts,
        ...disruptedStatus(budget, disrupted),
        observedGeneration: generation,
      };
      if (disrupted.size > 0) controller.look(budget, EVICTION_MS);
      const { conditions: _conditions, ...before } = budget.status ?? {};
      if (JSON.stringify(canonical(before)) === JSON.stringify(canonical(status))) return;
      const conditions = [disruptionAllowed(budget, status.disruptionsAllowed > 0)];
      await client.mergePatch(
        DISRUPTION_BUDGETS,
        { name, namespace, subresource: 'status' },
        { status: { ...status, conditions } },
      );
    },
  );
  informers.pods.onChange(({ metadata }) => {
    for (const budget of budgets.list(metadata.namespace)) controller.look(budget);
  });
  return controller;
}

interface BudgetStatus {
  readonly currentHealthy: number;
  readonly desiredHealthy: number;
  readonly disruptionsAllowed: number;
  readonly expectedPods: number;
}

/**
 * Pods that an eviction was granted for and whose deletion does not show yet, with the time of the grant. One that is
 * still there after a while was not deleted after all.
 */
function disruptedPods(budget: ApiObject, { pods }: Informers): ReadonlyMap<string, string> {
  const granted: Readonly<Record<string, string>> = budget.status?.disruptedPods ?? {};
  const pending = Object.entries(granted).filter(([name, time]) => {
    const pod = pods.get(budget.metadata.namespace, name);
    return pod !== null && isActive(pod) && Date.now() - Date.parse(time) < EVICTION_MS;
  });
  return new Map(pending);
}

/** As a patch: those that are over are taken out. */
function disruptedStatus(
  budget: ApiObject,
  disrupted: ReadonlyMap<string, string>,
): { readonly disruptedPods?: Readonly<Record<string, string | null>> } {
  const names = Object.keys(budget.status?.disruptedPods ?? {});
  if (names.length === 0) return {};
  return {
    disruptedPods: Object.fromEntries(names.map((name) => [name, disrupted.get(name) ?? null])),
  };
}

function budgetStatus(
  budget: ApiObject,
  informers: Informers,
  disrupted: ReadonlyMap<string, string>,
): BudgetStatus {
  const { selector, minAvailable, maxUnavailable } = budget.spec;
  const pods = informers.pods
    .list(budget.metadata.namespace)
    .filter((pod) => isActive(pod) && matchesSelector(selector ?? {}, pod.metadata.labels));
  const currentHealthy = pods.filter(
    (pod) => isReady(pod) && !disrupted.has(pod.metadata.name),
  ).length;
  const ownSize = wantedPods(pods, informers);
  const isCounted = maxUnavailable === undefined && typeof minAvailable === 'number';
  const expectedPods = isCounted ? pods.length : ownSize;
  const desiredHealthy =
    maxUnavailable === undefined
      ? amount(minAvailable ?? 0, expectedPods)
      : Math.max(0, expectedPods - amount(maxUnavailable, expectedPods));
  const spare = expectedPods > 0 ? Math.max(0, currentHealthy - desiredHealthy) : 0;
  return { currentHealthy, desiredHealthy, disruptionsAllowed: spare, expectedPods };
}

/** The sizes of the sets that the pods belong to, each counted once. */
function wantedPods(pods: readonly ApiObject[], { replicaSets, statefulSets }: Informers): number {
  const owners = new Map<string, number>();
  for (const pod of pods) {
    const owner = controllerOf(pod);
    if (owner === null) continue;
    const sets = owner.kind === 'StatefulSet' ? statefulSets : replicaSets;
    owners.set(owner.uid, sets.get(pod.metadata.namespace, owner.name)?.spec.replicas ?? 0);
  }
  return [...owners.values()].reduce((sum, size) => sum + size, 0);
}

/** A percentage is rounded up. */
function amount(value: number | string, whole: number): number {
  const text = String(value);
  return text.endsWith('%') ? Math.ceil((Number(text.slice(0, -1)) * whole) / 100) : Number(text);
}

function disruptionAllowed(budget: ApiObject, isAllowed: boolean): unknown {
  const status = isAllowed ? 'True' : 'False';
  const before: { status?: string; lastTransitionTime?: string } =
    budget.status?.conditions?.[0] ?? {};
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    type: 'DisruptionAllowed',
    status,
    reason: isAllowed ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    observedGeneration: budget.metadata.generation ?? 0,
    lastTransitionTime: before.status === status ? before.lastTransitionTime : now,
  };
}
