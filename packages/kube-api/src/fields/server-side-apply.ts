/** Server-side apply (Kubernetes docs "Server-Side Apply"; structured-merge-diff `merge/update.go`). */
import { timestampOf } from '@aquifer/model/kubernetes';
import type { OpenApiSchema } from '@aquifer/model/resources';
import { ApiStatusError } from '../api-status-error.ts';
import { type JsonObject, objectOr } from '../json.ts';
import { displayPath, type FieldPath, union, withAncestors } from './field-paths.ts';
import { appliedFields, compareFields, mergeApplied, removeFields } from './field-tree.ts';
import { fieldsLastApplied, KUBECTL, renewLastApplied } from './last-applied.ts';
import {
  type Manager,
  type ManagerEntry,
  ownable,
  readEntries,
  sameFields,
  sameManager,
  writeEntries,
} from './managed-fields.ts';

interface Apply {
  readonly schema: OpenApiSchema;
  /** Null when the object does not exist yet. */
  readonly live: JsonObject | null;
  readonly applied: JsonObject;
  readonly manager: Manager;
  /** Take over fields that others own. */
  readonly force: boolean;
}

interface FieldConflict {
  readonly entry: ManagerEntry;
  readonly path: FieldPath;
}

function describeManager(entry: ManagerEntry): string {
  const subresource = entry.subresource === '' ? '' : ` with subresource "${entry.subresource}"`;
  const version = entry.operation === 'Update' ? ` using ${entry.apiVersion}` : '';
  return `"${entry.name}"${subresource}${version}`;
}

function conflictError(conflicts: readonly FieldConflict[]): ApiStatusError {
  const causes = conflicts.map(({ entry, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${describeManager(entry)}`,
    field: displayPath(path),
  }));
  const [first] = causes;
  let message = '';
  if (causes.length === 1 && first !== undefined) {
    message = `Apply failed with 1 conflict: ${first.message}: ${first.field}`;
  } else {
    const groups = Map.groupBy(causes, (cause) => cause.message.replace('conflict', 'conflicts'));
    const parts = [...groups].map(
      ([manager, fields]) => `${manager}:\n${fields.map((cause) => `- ${cause.field}`).join('\n')}`,
    );
    message = `Apply failed with ${causes.length} conflicts: ${parts.join('\n')}`;
  }
  return new ApiStatusError(409, 'Conflict', message, { causes });
}

/** Fields the manager applied before and no longer does, that nobody else holds. */
function abandoned(
  own: ManagerEntry | undefined,
  fields: ReadonlySet<FieldPath>,
  others: readonly ManagerEntry[],
): Set<FieldPath> {
  if (own === undefined) return new Set();
  const held = withAncestors(union(fields, ...others.map((entry) => entry.fields)));
  return own.fields.difference(held);
}

/**
 * The live object after the apply, with its managedFields. Throws 409 with every conflicting field unless forced.
 */
export function applyServerSide({ schema, live, applied, manager, force }: Apply): JsonObject {
  const base = live ?? {
    apiVersion: applied.apiVersion,
    kind: applied.kind,
    metadata: {},
  };
  const configured = ownable(applied);
  const fields = appliedFields(schema, configured);
  const entries = readEntries(base);
  const own = entries.find((entry) => sameManager(entry, manager));
  const others = entries.filter((entry) => entry !== own);
  const before = ownable(base);
  const merged = removeFields(
    schema,
    mergeApplied(schema, before, configured),
    abandoned(own, fields, others),
  ) as JsonObject;
  const changes = compareFields(schema, before, merged);
  const touched = union(changes.added, changes.modified);
  const allowed =
    live !== null && manager.name === KUBECTL
      ? fieldsLastApplied(schema, live)
      : new Set<FieldPath>();
  const disputed = touched.difference(allowed);
  const conflicts = others
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) =>
      [...entry.fields.intersection(disputed)].toSorted().map((path) => ({ entry, path })),
    );
  if (conflicts.length > 0 && !force) throw conflictError(conflicts);
  const lost = union(touched, changes.removed);
  const kept = others.map((entry) => ({ ...entry, fields: entry.fields.difference(lost) }));
  const sameOwn = own !== undefined && sameFields(own.fields, fields) && lost.size === 0;
  const time = sameOwn ? own.time : timestampOf(new Date());
  const { metadata, ...rest } = merged;
  const server = Object.entries(objectOr(base.metadata)).filter(
    ([key]) => !Object.hasOwn(objectOr(before.metadata), key),
  );
  const named = objectOr(applied.metadata);
  const result = {
    apiVersion: applied.apiVersion,
    kind: applied.kind,
    metadata: {
      ...(named.name === undefined ? {} : { name: named.name }),
      ...(named.namespace === undefined ? {} : { namespace: named.namespace }),
      ...Object.fromEntries(server),
      ...objectOr(metadata),
      managedFields: writeEntries([...kept, { ...manager, time, fields }]),
    },
    ...rest,
  };
  return manager.name === KUBECTL ? renewLastApplied(result, applied) : result;
}
