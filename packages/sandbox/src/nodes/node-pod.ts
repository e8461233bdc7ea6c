import type { ApiObject } from '@aquifer/kube-api';
import type { Container, Pod, PodSpec } from '@aquifer/model/resources';

/** A pod as the API stores it: named, identified and, on a node, scheduled. */
export type NodePod = Pod & {
  metadata: { name: string; namespace: string; uid: string };
};

/** The API's pods always carry a name, a namespace, a uid and a spec; the schema cannot say so. */
export function asNodePod(object: ApiObject): NodePod {
  return object as unknown as NodePod;
}

/** A sidecar is an init container that keeps running beside the pod (restartPolicy Always). */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always';
}

/** Init containers first, in order. */
export function allContainers(spec: PodSpec): readonly Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers];
}

/** `namespace/name`, as in messages. */
export function podKey(pod: NodePod): string {
  return `${pod.metadata.namespace}/${pod.metadata.name}`;
}
