import type { ApiObject, ClusterClient } from '@aquifer/kube-api';
import { controllerOf } from './informer.ts';
import { controlledBy, templateHash } from './pod-template.ts';
import { REVISIONS } from './resource-keys.ts';

const DEFAULT_HISTORY_LIMIT = 10;

/**
 * The name of the ControllerRevision that holds the owner's present template, which is made if there is none. Those
 * beyond `spec.revisionHistoryLimit` go.
 */
export async function currentRevision(client: ClusterClient, owner: ApiObject): Promise<string> {
  const { name, namespace = '', labels } = owner.metadata;
  const revisionName = `${name}-${templateHash(owner.spec.template)}`;
  const all = await client.list(REVISIONS, { namespace });
  const own = all
    .filter((item) => controllerOf(item)?.uid === owner.metadata.uid)
    .toSorted((a, b) => a.revision - b.revision);
  const last = own.at(-1);
  if (last?.metadata.name === revisionName) return revisionName;
  const revision: number = (last?.revision ?? 0) + 1;
  const known = own.find((item) => item.metadata.name === revisionName);
  if (known !== undefined) {
    // A template that comes back is the newest again.
    await client.update(REVISIONS, { ...known, revision });
    return revisionName;
  }
  await client.create(REVISIONS, {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: revisionName,
      namespace,
      labels: { ...(owner.spec.template.metadata?.labels ?? labels) },
      ownerReferences: controlledBy(owner),
    },
    data: { spec: { template: { ...owner.spec.template, $patch: 'replace' } } },
    revision,
  });
  const limit: number = owner.spec.revisionHistoryLimit ?? DEFAULT_HISTORY_LIMIT;
  for (const { metadata } of own.slice(0, Math.max(0, own.length - limit))) {
    await client.delete(REVISIONS, { name: metadata.name, namespace });
  }
  return revisionName;
}
