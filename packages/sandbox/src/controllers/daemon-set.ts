import type { ApiObject } from '../cluster-client.ts';
import type { Controller, ControllerDeps } from './controller.ts';
import { runController } from './controller.ts';
import { controllerOf } from './informer.ts';
import { isActive, isAvailable, isFinished, isReady } from './pod-state.ts';
import { podFromTemplate, templateHash } from './pod-template.ts';
import { DAEMON_SETS, PODS } from './resource-keys.ts';
import { rolloutBounds } from './rollout.ts';
import { fits } from './scheduler.ts';
import { writeStatus } from './write-status.ts';

const HASH_LABEL = 'controller-revision-hash';

/** Keeps one pod of a template on every node that the template may run on. */
export function runDaemonSets(deps: ControllerDeps): Controller {
  const { client, informers, events } = deps;
  /** `<uid of the set>/<node>` of pods that the informer does not show yet. */
  const expected = new Set<string>();
  informers.pods.onChange((pod) => {
    expected.delete(`${controllerOf(pod)?.uid}/${pod.spec.nodeName}`);
  });
  const controller = runController(
    deps,
    { parents: informers.daemonSets, kind: 'DaemonSet', children: informers.pods },
    async (set) => {
      const pods = informers.pods.ownedBy(set);
      const hash = templateHash(set.spec.template);
      const nodes = informers.nodes.list().filter((node) => fits(podFromTemplate(set), node));
      if (set.metadata.deletionTimestamp === undefined) {
        await placePods(set, nodes, { pods, hash });
        await replaceOutdated(set, { pods, hash, wanted: nodes.length });
      }
      await writeStatus(client, DAEMON_SETS, set, status(set, pods, { hash, nodes }));
    },
  );
  informers.nodes.onChange(() => {
    for (const set of informers.daemonSets.list()) controller.look(set);
  });
  return controller;

  /** A node keeps its pod, even one that is on its way out, until that is gone; then it gets a new one. */
  async function placePods(
    set: ApiObject,
    nodes: readonly ApiObject[],
    { pods, hash }: { pods: readonly ApiObject[]; hash: string },
  ): Promise<void> {
    for (const node of nodes) {
      const name = node.metadata.name;
      const here = pods.filter((pod) => pod.spec.nodeName === name);
      if (here.length > 0) {
        for (const pod of here.filter(isFinished)) await remove(set, pod);
        continue;
      }
      const place = `${set.metadata.uid}/${name}`;
      if (expected.has(place)) continue;
      const pod = podFromTemplate(set, { [HASH_LABEL]: hash });
      pod.spec.nodeName = name;
      expected.add(place);
      await client.create(PODS, pod).catch((error: unknown) => {
        expected.delete(place);
        throw error;
      });
      events.normal(set, 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
    }
    const names = new Set(nodes.map(({ metadata }) => metadata.name));
    const strayed = pods.filter((pod) => isActive(pod) && !names.has(pod.spec.nodeName));
    for (const pod of strayed) await remove(set, pod);
  }

  async function replaceOutdated(
    set: ApiObject,
    { pods, hash, wanted }: { pods: readonly ApiObject[]; hash: string; wanted: number },
  ): Promise<void> {
    const { type = 'RollingUpdate', rollingUpdate } = set.spec.updateStrategy ?? {};
    if (type !== 'RollingUpdate') return;
    const { maxUnavailable } = rolloutBounds(
      { maxSurge: 0, maxUnavailable: rollingUpdate?.maxUnavailable ?? 1 },
      wanted,
    );
    const available = pods.filter((pod) => isActive(pod) && isAvailable(pod)).length;
    let allowed = maxUnavailable - (wanted - available);
    const outdated = pods.filter((pod) => isActive(pod) && !isCurrent(pod, hash));
    for (const pod of outdated) {
      // A pod that does not serve costs nothing to replace.
      if (isAvailable(pod) && allowed-- <= 0) continue;
      await remove(set, pod);
    }
  }

  async function remove(set: ApiObject, pod: ApiObject): Promise<void> {
    const { name, namespace = '' } = pod.metadata;
    await client.delete(PODS, { name, namespace });
    events.normal(set, 'SuccessfulDelete', `Deleted pod: ${name}`);
  }
}

function isCurrent({ metadata }: ApiObject, hash: string): boolean {
  return metadata.labels?.[HASH_LABEL] === hash;
}

function status(
  set: ApiObject,
  pods: readonly ApiObject[],
  { hash, nodes }: { hash: string; nodes: readonly ApiObject[] },
): Record<string, unknown> {
  const active = pods.filter(isActive);
  const available = active.filter((pod) => isAvailable(pod)).length;
  return {
    currentNumberScheduled: active.length,
    desiredNumberScheduled: nodes.length,
    numberMisscheduled: 0,
    numberReady: active.filter(isReady).length,
    numberAvailable: available,
    numberUnavailable: nodes.length - available,
    updatedNumberScheduled: active.filter((pod) => isCurrent(pod, hash)).length,
    observedGeneration: set.metadata.generation ?? 0,
  };
}
