import type { ApiObject } from '@aquifer/kube-api';
import type { Controller, ControllerDeps } from './controller.ts';
import { runController } from './controller.ts';
import { planDaemonRollout } from './daemon-rollout.ts';
import { controllerOf } from './informer.ts';
import { byAge, isActive, isAvailable, isFinished, isReady } from './pod-state.ts';
import { isOfRevision, podFromTemplate, revisionLabel, templateHash } from './pod-template.ts';
import { DAEMON_SETS, PODS } from './resource-keys.ts';
import { fits } from './scheduler.ts';
import { repellingTaints } from './tolerations.ts';
import { writeStatus } from './write-status.ts';

/** Keeps one pod of a template on every node that the template may run on. */
export function runDaemonSets(deps: ControllerDeps): Controller {
  const { client, informers, events } = deps;
  /** Names of pods that the informer does not show yet, by `<uid of the set>/<node>`. */
  const expected = new Map<string, string>();
  informers.pods.onChange((pod) => {
    const place = `${controllerOf(pod)?.uid}/${pod.spec.nodeName}`;
    if (expected.get(place) === pod.metadata.name) expected.delete(place);
  });
  const controller = runController(
    deps,
    { parents: informers.daemonSets, kind: 'DaemonSet', children: informers.pods },
    async (set) => {
      const pods = informers.pods.ownedBy(set);
      const hash = templateHash(set.spec.template);
      const model = podFromTemplate(set);
      const nodes = informers.nodes.list().filter((node) => takes(node, model, pods));
      const byNode = new Map(
        nodes.map(({ metadata: { name } }) => [
          name,
          pods.filter((pod) => pod.spec.nodeName === name),
        ]),
      );
      if (set.metadata.deletionTimestamp === undefined) {
        for (const [node, here] of byNode) await keepOne(set, { node, here, hash });
        const strayed = pods.filter((pod) => isActive(pod) && !byNode.has(pod.spec.nodeName));
        const { surge, remove: outdated } = planDaemonRollout(set, byNode, hash);
        for (const node of surge) await create(set, node, hash);
        for (const pod of [...strayed, ...outdated]) await remove(set, pod);
      }
      await writeStatus(client, DAEMON_SETS, set, status(set, byNode, hash));
    },
  );
  informers.nodes.onChange(() => {
    for (const set of informers.daemonSets.list()) controller.look(set);
  });
  return controller;

  /** A node keeps its pod, even one that is on its way out, until that is gone; then it gets a new one. */
  async function keepOne(
    set: ApiObject,
    { node, here, hash }: { node: string; here: readonly ApiObject[]; hash: string },
  ): Promise<void> {
    if (here.length === 0) await create(set, node, hash);
    for (const pod of here.filter(isFinished)) await remove(set, pod);
  }

  async function create(set: ApiObject, node: string, hash: string): Promise<void> {
    const place = `${set.metadata.uid}/${node}`;
    if (expected.has(place)) return;
    const pod = podFromTemplate(set, revisionLabel(hash));
    pod.spec.nodeName = node;
    expected.set(place, pod.metadata.name);
    await client.create(PODS, pod).catch((error: unknown) => {
      expected.delete(place);
      throw error;
    });
    events.normal(set, 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
  }

  async function remove(set: ApiObject, pod: ApiObject): Promise<void> {
    const { name, namespace = '' } = pod.metadata;
    await client.delete(PODS, { name, namespace });
    events.normal(set, 'SuccessfulDelete', `Deleted pod: ${name}`);
  }
}

/** A taint that came later keeps new daemons away; the one that is there stays, unless the taint evicts it. */
function takes(node: ApiObject, model: ApiObject, pods: readonly ApiObject[]): boolean {
  if (!fits(model, node)) return false;
  const isThere = pods.some(({ spec }) => spec.nodeName === node.metadata.name);
  const repelling = repellingTaints(model, node);
  return isThere ? repelling.every(({ effect }) => effect !== 'NoExecute') : repelling.length === 0;
}

/** Nodes are counted, not pods: of two on one node the older one counts. */
function status(
  set: ApiObject,
  podsByNode: ReadonlyMap<string, readonly ApiObject[]>,
  hash: string,
): Record<string, unknown> {
  const oldest = [...podsByNode.values()].flatMap((pods) =>
    pods.filter(isActive).toSorted(byAge).slice(0, 1),
  );
  const available = oldest.filter((pod) => isAvailable(pod)).length;
  return {
    currentNumberScheduled: oldest.length,
    desiredNumberScheduled: podsByNode.size,
    numberMisscheduled: 0,
    numberReady: oldest.filter(isReady).length,
    numberAvailable: available,
    numberUnavailable: podsByNode.size - available,
    updatedNumberScheduled: oldest.filter((pod) => isOfRevision(pod, hash)).length,
    observedGeneration: set.metadata.generation ?? 0,
  };
}
