/** Test fixture: how recordings are derived, and how a series of changes is made of their objects. */
import type { Pod } from '@aquifer/model/resources';
import { applyChanges, type ClusterState } from '../ingest/cluster-state.ts';
import type { EnrolmentSettings } from './enrolled-pods.ts';
import type { MeshSettings } from './mesh.ts';
import { Deriver } from './snapshot.ts';

/** Those of the control plane that was recorded. */
export const SETTINGS: MeshSettings & EnrolmentSettings = {
  clusterId: 'Kubernetes',
  clusterDomain: 'cluster.local',
  trustDomain: 'cluster.local',
  rootNamespace: 'istio-system',
  systemNamespace: 'istio-system',
  excludeNamespaces: ['kube-system'],
};

/** The parts of any object that tests look at. */
export interface TestObject {
  readonly kind: string;
  readonly metadata: { readonly namespace?: string; readonly name: string };
  readonly spec?: unknown;
}

/** Throws whatever a derivation throws. */
export function newDeriver(): Deriver {
  return new Deriver(SETTINGS, (key, error) => {
    throw new Error(`${key}: ${error}`, { cause: error });
  });
}

/** Recordings were made in clusters of their own and share names: the first object of a name stands for all. */
export function firstOfEachName(objects: readonly TestObject[]): TestObject[] {
  const byKey = new Map<string, TestObject>();
  for (const object of objects) {
    const { kind, metadata } = object;
    const key = `${kind}/${metadata.namespace}/${metadata.name}`;
    if (!byKey.has(key)) byKey.set(key, object);
  }
  return [...byKey.values()];
}

/** Removes what is there and adds what is not. */
export function toggle(state: ClusterState, objects: readonly TestObject[]): ClusterState {
  let next = state;
  for (const object of objects) {
    const { namespace = '', name } = object.metadata;
    const kind = object.kind as 'Pod';
    if (next[kind] === undefined) continue;
    const isThere = next[kind].get(namespace, name) !== undefined;
    const change = { namespace, name, object: isThere ? null : (object as unknown as Pod) };
    next = applyChanges(next, { [kind]: [change] });
  }
  return next;
}
