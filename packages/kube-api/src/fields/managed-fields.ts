/** `metadata.managedFields`: who set which field, kept on every write (Kubernetes: "Field Management"). */
import type { OpenApiSchema } from '@aquifer/model/resources';
import {
  isObject,
  type JsonObject,
  listOr,
  objectOr,
  sameJson,
  stringOr,
  timestampOf,
} from '../json.ts';
import { type FieldPath, fromFieldsV1, pathOf, toFieldsV1, union } from './field-paths.ts';
import { compareFields } from './field-tree.ts';

/** Who manages fields, and through which door. */
export interface Manager {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  /** Empty for the object itself. */
  readonly subresource: string;
}

/** A manager with what it owns. */
export interface ManagerEntry extends Manager {
  readonly time: string | undefined;
  readonly fields: Set<FieldPath>;
}

/** Metadata that a client's update cannot change. */
export const SERVER_OWNED = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
] as const;

/** Set by the server, owned by nobody. */
const serverFields: readonly string[] = [...SERVER_OWNED, 'managedFields', 'selfLink'];

/** Parts that Go's types always hold, so that they exist before anybody sets them. */
const skeletons: Readonly<Record<'builtIn' | 'custom', ReadonlySet<FieldPath>>> = {
  builtIn: new Set([
    'f:metadata',
    'f:spec',
    'f:status',
    ...['f:template', 'f:strategy', 'f:updateStrategy'].map((name) => pathOf('f:spec', name)),
    ...['f:metadata', 'f:spec'].map((name) => pathOf('f:spec', 'f:template', name)),
    pathOf('f:status', 'f:loadBalancer'),
  ]),
  custom: new Set(['f:metadata']),
};

/** The object without what nobody can own. */
export function ownable(object: JsonObject): JsonObject {
  const { apiVersion: _apiVersion, kind: _kind, metadata, ...rest } = object;
  const kept = Object.entries(objectOf(metadata)).filter(([key]) => !serverFields.includes(key));
  return { metadata: Object.fromEntries(kept), ...rest };
}

function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

/** The entries that an object carries. */
export function readEntries(object: JsonObject): ManagerEntry[] {
  return listOr(objectOr(object.metadata).managedFields)
    .filter(isObject)
    .map((entry) => ({
      name: stringOr(entry.manager) ?? 'unknown',
      operation: entry.operation === 'Apply' ? 'Apply' : 'Update',
      apiVersion: stringOr(entry.apiVersion) ?? '',
      subresource: stringOr(entry.subresource) ?? '',
      time: stringOr(entry.time),
      fields: fromFieldsV1(entry.fieldsV1),
    }));
}

function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** The entries as the object carries them: applied first, then by time and name. */
export function writeEntries(entries: readonly ManagerEntry[]): JsonObject[] {
  return entries
    .filter((entry) => entry.fields.size > 0)
    .toSorted(
      (a, b) =>
        compareText(a.operation, b.operation) ||
        compareText(a.time ?? '', b.time ?? '') ||
        compareText(a.name, b.name),
    )
    .map((entry) => ({
      manager: entry.name,
      operation: entry.operation,
      apiVersion: entry.apiVersion,
      ...(entry.time === undefined ? {} : { time: entry.time }),
      fieldsType: 'FieldsV1',
      fieldsV1: toFieldsV1(entry.fields),
      ...(entry.subresource === '' ? {} : { subresource: entry.subresource }),
    }));
}

/** Appliers are the same in every version of the API, updaters are not. */
export function sameManager(left: Manager, right: Manager): boolean {
  return (
    left.name === right.name &&
    left.operation === right.operation &&
    left.subresource === right.subresource &&
    (left.operation === 'Apply' || left.apiVersion === right.apiVersion)
  );
}

/** Whether two sets have the same members. */
export function sameFields(left: ReadonlySet<FieldPath>, right: ReadonlySet<FieldPath>): boolean {
  return left.size === right.size && left.isSubsetOf(right);
}

interface Update {
  readonly schema: OpenApiSchema;
  readonly custom: boolean;
  /** null when the object is new. */
  readonly before: JsonObject | null;
  readonly after: JsonObject;
  readonly manager: Manager;
}

/** The managedFields after an update: the manager owns what it changed, others lose what was changed or removed. */
export function managedFieldsAfterUpdate(update: Update): JsonObject[] {
  const { schema, before, after, manager } = update;
  const given = objectOr(after.metadata).managedFields;
  // A client may rewrite the record itself (kubectl does, when it moves to server-side apply), or clear it.
  const rewritten =
    before !== null &&
    given !== undefined &&
    !sameJson(given, objectOr(before.metadata).managedFields);
  const entries = before === null ? [] : readEntries(rewritten ? after : before);
  const changes = compareFields(schema, before === null ? {} : ownable(before), ownable(after));
  const skeleton = skeletons[update.custom ? 'custom' : 'builtIn'];
  const taken = union(changes.added, changes.modified).difference(skeleton);
  taken.delete('');
  const lost = union(taken, changes.removed);
  const own = entries.find((entry) => sameManager(entry, manager));
  const others = entries
    .filter((entry) => entry !== own)
    .map((entry) => ({ ...entry, fields: entry.fields.difference(lost) }));
  const fields = union((own?.fields ?? new Set<FieldPath>()).difference(changes.removed), taken);
  const unchanged = own !== undefined && sameFields(own.fields, fields) && taken.size === 0;
  const time = unchanged ? own.time : timestampOf(new Date());
  return writeEntries([...others, { ...manager, time, fields }]);
}
