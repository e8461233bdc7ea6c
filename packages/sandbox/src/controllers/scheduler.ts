/** Gives each new pod a node: the one with the fewest pods among those that the pod may run on. */
import type { ApiObject } from '@aquifer/kube-api';
import type { ControllerDeps } from './controller.ts';
import { type Controller, runController } from './controller.ts';
import { matchesLabels, matchesRequirement, type Requirement } from './label-selector.ts';
import { isFinished, isTerminating } from './pod-state.ts';
import { PODS } from './resource-keys.ts';
import { reluctance, repellingTaints } from './tolerations.ts';

/** How soon a pod that fits nowhere is looked at again. */
const RETRY_MS = 2_000;

interface NodeSelectorTerm {
  readonly matchExpressions?: readonly Requirement[];
  readonly matchFields?: readonly Requirement[];
}

export function runScheduler(deps: ControllerDeps): Controller {
  const { client, informers, events } = deps;
  /** Nodes given out whose pods the informer does not show yet. */
  const assumed = new Map<string, string>();
  const controller = runController(deps, { parents: informers.pods, kind: 'Pod' }, async (pod) => {
    const { uid = '', name, namespace = '' } = pod.metadata;
    if (pod.spec.nodeName || isTerminating(pod) || isFinished(pod)) {
      assumed.delete(uid);
      return;
    }
    if (assumed.has(uid)) return;
    if (pod.spec.schedulingGates?.length > 0) return;
    const nodes = informers.nodes.list();
    // Nobody complains while the first nodes are still on their way.
    if (nodes.length === 0) {
      controller.look(pod, RETRY_MS);
      return;
    }
    const selected = nodes.filter((node) => node.spec?.unschedulable !== true && fits(pod, node));
    const fitting = selected.filter((node) => repellingTaints(pod, node).length === 0);
    const node = leastLoaded(mostWilling(pod, fitting), informers.pods.list(), assumed);
    if (node === null) {
      events.warning(pod, 'FailedScheduling', refusal(pod, nodes, selected));
      controller.look(pod, RETRY_MS);
      return;
    }
    assumed.set(uid, node);
    try {
      await client.mergePatch(PODS, { name, namespace }, { spec: { nodeName: node } });
    } catch (error) {
      assumed.delete(uid);
      throw error;
    }
    events.normal(pod, 'Scheduled', `Successfully assigned ${namespace}/${name} to ${node}`);
  });
  return controller;
}

/**
 * `nodeSelector` and required node affinity; inter-pod affinity is not looked at. Not `unschedulable` either: that keeps
 * new pods away, but daemons stay on a cordoned node, and come to it.
 */
export function fits(pod: ApiObject, node: ApiObject): boolean {
  const labels = node.metadata.labels ?? {};
  if (!matchesLabels(pod.spec.nodeSelector ?? {}, labels)) return false;
  const terms: readonly NodeSelectorTerm[] | undefined =
    pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
      ?.nodeSelectorTerms;
  if (terms === undefined) return true;
  const fields = { 'metadata.name': node.metadata.name };
  return terms.some(
    ({ matchExpressions = [], matchFields = [] }) =>
      matchExpressions.every((requirement) => matchesRequirement(requirement, labels)) &&
      matchFields.every((requirement) => matchesRequirement(requirement, fields)),
  );
}

/** Why no node takes the pod. */
function refusal(
  pod: ApiObject,
  nodes: readonly ApiObject[],
  selected: readonly ApiObject[],
): string {
  const all = `0/${nodes.length} nodes are available:`;
  const [first] = selected.flatMap((node) => repellingTaints(pod, node));
  const others = nodes.length - selected.length;
  const reasons = [
    others > 0 ? `${others} node(s) didn't match Pod's node affinity/selector` : null,
    first === undefined
      ? null
      : `${selected.length} node(s) had untolerated taint {${first.key}: ${first.value ?? ''}}`,
  ];
  return `${all} ${reasons.filter((reason) => reason !== null).join(', ')}.`;
}

/** Those nodes of which the fewest taints would rather not have the pod. */
function mostWilling(pod: ApiObject, nodes: readonly ApiObject[]): readonly ApiObject[] {
  const least = Math.min(...nodes.map((node) => reluctance(pod, node)));
  return nodes.filter((node) => reluctance(pod, node) === least);
}

function leastLoaded(
  nodes: readonly ApiObject[],
  pods: readonly ApiObject[],
  assumed: ReadonlyMap<string, string>,
): string | null {
  const load = new Map(nodes.map(({ metadata }) => [metadata.name, 0]));
  for (const pod of pods) {
    const node: string = pod.spec.nodeName ?? assumed.get(pod.metadata.uid ?? '') ?? '';
    const count = load.get(node);
    if (count !== undefined && !isFinished(pod)) load.set(node, count + 1);
  }
  const [best] = [...load].toSorted(
    ([one, few], [other, many]) => few - many || (one < other ? -1 : 1),
  );
  return best?.[0] ?? null;
}
