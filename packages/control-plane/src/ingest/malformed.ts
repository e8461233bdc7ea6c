/** Objects whose shape is wrong, and what counts instead of them: the last good version; of a policy that has none, a strict one. */
import type { AuthorizationPolicy, PeerAuthentication } from '@aquifer/model/resources';
import type { Graph } from '../collections/graph.ts';
import type { Input } from '../collections/nodes.ts';
import { keyOf, type StoredObject } from './cluster-inputs.ts';
import type { WatchedKind } from './kinds.ts';

export interface Malformed {
  readonly kind: WatchedKind;
  /** As the API has it. */
  readonly object: StoredObject;
  /** Names the field. */
  readonly problem: string;
}

/** By `malformedKey`. */
export type MalformedObjects = Input<Malformed>;

export function malformedObjects(graph: Graph): MalformedObjects {
  return graph.input(
    'malformed objects',
    (before, now) =>
      before.object.metadata.resourceVersion === now.object.metadata.resourceVersion &&
      before.object.metadata.uid === now.object.metadata.uid,
  );
}

/** `<kind>/<namespace>/<name>`. */
export function malformedKey(kind: WatchedKind, object: StoredObject): string {
  return `${kind}/${keyOf(object)}`;
}

/** What counts of an object of which there never was a good version; null if it is as if it were not there. */
export function substituteFor(kind: WatchedKind, object: StoredObject): StoredObject | null {
  if (kind === 'AuthorizationPolicy') return denying(object);
  return kind === 'PeerAuthentication' ? strict(object) : null;
}

/** It allows nothing, to those it is for; if not even they can be read, to its whole namespace. */
function denying(object: StoredObject): StoredObject {
  const { selector, targetRef, targetRefs } = specOf(object);
  const refs = [targetRef, targetRefs].flat().filter((ref) => ref !== undefined);
  const spec = {
    ...selectorIn(selector),
    ...(refs.length > 0 && refs.every(isTargetRef) && { targetRefs: refs }),
  };
  return { ...bare(object), spec } as unknown as AuthorizationPolicy;
}

function strict(object: StoredObject): StoredObject {
  const spec = { ...selectorIn(specOf(object).selector), mtls: { mode: 'STRICT' } };
  return { ...bare(object), spec } as unknown as PeerAuthentication;
}

/** Without labels and annotations, which may be what is wrong. */
function bare(object: StoredObject): object {
  const { apiVersion, kind } = object as { apiVersion?: unknown; kind?: unknown };
  const { name, namespace, uid, resourceVersion } = object.metadata;
  return { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion } };
}

function specOf(object: StoredObject): Readonly<Record<string, unknown>> {
  const { spec } = object as { readonly spec?: unknown };
  return isRecord(spec) ? spec : {};
}

function selectorIn(selector: unknown): object {
  const labels = isRecord(selector) ? selector.matchLabels : undefined;
  const isReadable =
    isRecord(labels) && Object.values(labels).every((value) => typeof value === 'string');
  return isReadable ? { selector: { matchLabels: labels } } : {};
}

function isTargetRef(ref: unknown): boolean {
  return isRecord(ref) && typeof ref.kind === 'string' && typeof ref.name === 'string';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
