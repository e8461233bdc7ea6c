/**
 * The annotation of client-side apply, while kubectl moves an object to server-side apply (apimachinery
 * `lastappliedmanager.go`, `lastappliedupdater.go`): what it recorded is no conflict, and it is kept up to date.
 */
import type { OpenApiSchema } from '@aquifer/model/resources';
import { isObject, type JsonObject, objectOr, sortedJson, stringOr } from '../json.ts';
import type { FieldPath } from './field-paths.ts';
import { appliedFields, compareFields } from './field-tree.ts';
import { ownable } from './managed-fields.ts';

const ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration';

/** Only kubectl's own server-side apply cares; whoever names another manager opts out. */
export const KUBECTL = 'kubectl';

function annotationOf(object: JsonObject): string | undefined {
  return stringOr(objectOr(objectOr(object.metadata).annotations)[ANNOTATION]);
}

/** Fields that client-side apply set last and that still have that value. */
export function fieldsLastApplied(schema: OpenApiSchema, live: JsonObject): Set<FieldPath> {
  const recorded = annotationOf(live);
  if (recorded === undefined) return new Set();
  let configuration: unknown;
  try {
    configuration = JSON.parse(recorded);
  } catch {
    // The user wrote something else there: it allows nothing.
    return new Set();
  }
  if (!isObject(configuration)) return new Set();
  const applied = ownable(configuration);
  const changes = compareFields(schema, applied, ownable(live));
  return appliedFields(schema, applied).difference(changes.modified).difference(changes.added);
}

/** The object with the annotation renewed from the applied configuration, if it has one at all. */
export function renewLastApplied(object: JsonObject, applied: JsonObject): JsonObject {
  if (annotationOf(object) === undefined) return object;
  const metadata = objectOr(object.metadata);
  const { managedFields: _fields, annotations, ...rest } = objectOr(applied.metadata);
  const kept = Object.entries(objectOr(annotations)).filter(([key]) => key !== ANNOTATION);
  const configuration = {
    ...applied,
    metadata: { ...rest, ...(kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) }) },
  };
  return {
    ...object,
    metadata: {
      ...metadata,
      annotations: {
        ...objectOr(metadata.annotations),
        [ANNOTATION]: `${sortedJson(configuration)}\n`,
      },
    },
  };
}
