import type { Controller, ControllerDeps } from './controller.ts';
import { runController } from './controller.ts';
import { isActive } from './pod-state.ts';
import { PODS } from './resource-keys.ts';
import { stayOf } from './tolerations.ts';

/** Deletes pods from nodes with NoExecute taints that they do not tolerate, or no longer. */
export function runTaintEviction(deps: ControllerDeps): Controller {
  const { client, informers, events } = deps;
  /** By pod uid: when its node got the taint that it tolerates for a while, in milliseconds. */
  const since = new Map<string, number>();
  const controller: Controller = runController(
    deps,
    { parents: informers.pods, kind: 'Pod' },
    async (pod) => {
      const { uid = '', name, namespace = '' } = pod.metadata;
      const node = informers.nodes.get('', pod.spec.nodeName ?? '');
      const staySeconds = node === null ? Number.POSITIVE_INFINITY : stayOf(pod, node);
      if (!isActive(pod) || staySeconds === Number.POSITIVE_INFINITY) {
        since.delete(uid);
        return;
      }
      const nowMs = Date.now();
      const begunMs = since.get(uid) ?? nowMs;
      since.set(uid, begunMs);
      const remainingMs = begunMs + staySeconds * 1000 - nowMs;
      if (remainingMs > 0) return controller.look(pod, remainingMs);
      events.normal(pod, 'TaintManagerEviction', `Marking for deletion Pod ${namespace}/${name}`);
      await client.delete(PODS, { name, namespace });
    },
  );
  informers.nodes.onChange(({ metadata, spec }) => {
    if ((spec?.taints?.length ?? 0) === 0) return;
    for (const pod of informers.pods.list()) {
      if (pod.spec.nodeName === metadata.name) controller.look(pod);
    }
  });
  return controller;
}
