import type { ApiObject, ClusterClient } from '@aquifer/kube-api';
import { controllerOf, type Informer } from './informer.ts';
import { matchesSelector } from './label-selector.ts';
import { isTerminating } from './pod-state.ts';
import { controlledBy } from './pod-template.ts';

/**
 * The owner adopts what its selector selects and nobody controls, and lets go of what it no longer selects
 * (kubernetes `controller_ref_manager.go`). True if anything changed: the informer shows it soon.
 */
export async function claimChildren(
  client: ClusterClient,
  children: Informer,
  owner: ApiObject,
): Promise<boolean> {
  const isSelected = ({ metadata }: ApiObject): boolean =>
    matchesSelector(owner.spec.selector, metadata.labels);
  const all = children.list(owner.metadata.namespace).filter((child) => !isTerminating(child));
  const orphans = all.filter((child) => controllerOf(child) === null && isSelected(child));
  const released = children
    .ownedBy(owner)
    .filter((child) => !isTerminating(child) && !isSelected(child));
  for (const child of orphans) {
    await write(child, [...(child.metadata.ownerReferences ?? []), ...controlledBy(owner)]);
  }
  for (const child of released) {
    const others = (child.metadata.ownerReferences ?? []).filter(
      ({ uid }) => uid !== owner.metadata.uid,
    );
    await write(child, others);
  }
  return orphans.length + released.length > 0;

  async function write(
    { metadata: { name, namespace = '' } }: ApiObject,
    ownerReferences: unknown[],
  ): Promise<void> {
    await client.mergePatch(children.key, { name, namespace }, { metadata: { ownerReferences } });
  }
}
