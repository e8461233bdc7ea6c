/** Which pods serve a Service. */
import type { ApiObject } from '@aquifer/kube-api';
import type { Controller, Informers } from './controller.ts';
import { objectKey } from './informer.ts';
import { matchesLabels } from './label-selector.ts';
import { isFinished, isTerminating } from './pod-state.ts';

/** Services without a selector, and aliases of other names, have no endpoints of their own. */
export function hasEndpoints(service: ApiObject): boolean {
  const { selector, type } = service.spec;
  return selector !== undefined && type !== 'ExternalName' && !isTerminating(service);
}

/** The selected pods with an address; those whose node is not there are apart, unless unready pods are asked for. */
export function podsOf(
  service: ApiObject,
  informers: Informers,
): { readonly pods: readonly ApiObject[]; readonly strayed: readonly ApiObject[] } {
  const selected = informers.pods
    .list(service.metadata.namespace)
    .filter((pod) => matchesLabels(service.spec.selector, pod.metadata.labels))
    .filter((pod) => pod.status?.podIP && !isFinished(pod));
  const isPlaced = (pod: ApiObject): boolean =>
    service.spec.publishNotReadyAddresses === true ||
    informers.nodes.get(undefined, pod.spec.nodeName ?? '') !== null;
  return {
    pods: selected.filter(isPlaced),
    strayed: selected.filter((pod) => !isPlaced(pod)),
  };
}

/** Makes the controller of Services look at those that a changed pod serves, or served before. Before the start only. */
export function followPods(informers: Informers, controller: Controller): void {
  /** Labels that a pod had: when they change, Services that no longer select it must look too. */
  const formerLabels = new Map<string, Record<string, string>>();
  informers.pods.onChange((pod) => {
    const { namespace, name, labels = {} } = pod.metadata;
    const key = objectKey(namespace, name);
    const before = formerLabels.get(key) ?? labels;
    if (informers.pods.get(namespace, name) === null) formerLabels.delete(key);
    else formerLabels.set(key, labels);
    for (const service of informers.services.list(namespace)) {
      const selector = service.spec.selector;
      if (selector === undefined) continue;
      if (matchesLabels(selector, labels) || matchesLabels(selector, before)) {
        controller.look(service);
      }
    }
  });
}
