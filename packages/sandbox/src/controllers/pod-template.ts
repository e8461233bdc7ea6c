import { createHash, randomInt } from 'node:crypto';
import type { ApiObject } from '@aquifer/kube-api';

/** Letters of generated names: no vowels, no look-alikes (k8s.io/apimachinery util/rand). */
const NAME_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

export function randomSuffix(length = 5): string {
  return Array.from({ length }, () => NAME_LETTERS[randomInt(NAME_LETTERS.length)]).join('');
}

/** The same for equal templates, whatever the order of their fields. Ten letters. */
export function templateHash(template: unknown): string {
  const digest = createHash('sha256')
    .update(JSON.stringify(canonical(template)))
    .digest();
  return Array.from(
    digest.subarray(0, 10),
    (byte) => NAME_LETTERS[byte % NAME_LETTERS.length],
  ).join('');
}

/** Objects with sorted fields, for comparing and hashing. */
export function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  entries.sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([name, field]) => [name, canonical(field)]));
}

/** Marks `owner` as the controller of an object: deleted with it, and reported to it. */
export function controlledBy(
  owner: ApiObject,
): NonNullable<ApiObject['metadata']['ownerReferences']> {
  return [
    {
      apiVersion: owner.apiVersion,
      kind: owner.kind,
      name: owner.metadata.name,
      uid: owner.metadata.uid ?? '',
      controller: true,
      blockOwnerDeletion: true,
    },
  ];
}

/** A pod of the owner's `spec.template`, with further labels. */
export function podFromTemplate(
  owner: ApiObject,
  labels: Readonly<Record<string, string>> = {},
): ApiObject {
  const { metadata = {}, spec } = owner.spec.template;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${owner.metadata.name}-${randomSuffix()}`,
      generateName: `${owner.metadata.name}-`,
      ...(owner.metadata.namespace === undefined ? {} : { namespace: owner.metadata.namespace }),
      labels: { ...metadata.labels, ...labels },
      ...(metadata.annotations === undefined ? {} : { annotations: metadata.annotations }),
      ownerReferences: controlledBy(owner),
    },
    spec: structuredClone(spec),
  };
}

const REVISION_LABEL = 'controller-revision-hash';

/** The label by which a pod of a DaemonSet or StatefulSet tells the template it was made from. */
export function revisionLabel(revision: string): Record<string, string> {
  return { [REVISION_LABEL]: revision };
}

export function isOfRevision({ metadata }: ApiObject, revision: string): boolean {
  return metadata.labels?.[REVISION_LABEL] === revision;
}
