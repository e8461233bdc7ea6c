import type { ObjectMeta } from '@aquifer/model/resources';
import type { ObjectRef } from '../ingest/kinds.ts';

/** The parts of an API object that every rule may look at. */
export interface LabelledObject {
  readonly metadata: ObjectMeta;
}

type StringMap = Readonly<Record<string, string>>;
const EMPTY: StringMap = {};

/** Never undefined: an object without labels has the empty map. */
export function labelsOf(object: LabelledObject | undefined): StringMap {
  return object?.metadata.labels ?? EMPTY;
}

/** Never undefined: an object without annotations has the empty map. */
export function annotationsOf(object: LabelledObject | undefined): StringMap {
  return object?.metadata.annotations ?? EMPTY;
}

/** `''` for cluster-scoped objects. */
export function namespaceOf(object: LabelledObject): string {
  return object.metadata.namespace ?? '';
}

export function nameOf(object: LabelledObject): string {
  return object.metadata.name ?? '';
}

/** The object as provenance names it. */
export function refTo(object: LabelledObject & { readonly kind: string }): ObjectRef {
  return { kind: object.kind, namespace: namespaceOf(object), name: nameOf(object) };
}

/** Go's strconv.ParseBool, which Istio reads labels and annotations with; null if the text is none of its words. */
export function parseGoBool(text: string | undefined): boolean | null {
  if (text === undefined) return null;
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  return null;
}

/** Older objects first; of the same second by name, and then by namespace, in the order of bytes as Go compares them. */
export function byAge(a: LabelledObject, b: LabelledObject): number {
  return (
    inOrder(a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '') ||
    inOrder(nameOf(a), nameOf(b)) ||
    inOrder(namespaceOf(a), namespaceOf(b))
  );
}

function inOrder(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
