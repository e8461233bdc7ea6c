/**
 * Writes how the objects of a Gateway merge with what users lay over them, for the control plane: of the descriptions only
 * what leads to lists that merge item by item. Run by `npm run generate`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MergeSchema } from '@aquifer/model/kubernetes';
import { deployment, openApiSchema, service, serviceAccount } from '@aquifer/model/resources';

const file = join(import.meta.dirname, '../../packages/control-plane/src/gen/overlay-schemas.json');

const MERGE_KEY = 'x-kubernetes-patch-merge-key';
const STRATEGY = 'x-kubernetes-patch-strategy';

/** Null where nothing below merges but as in a merge patch. */
function pruned(schema: MergeSchema): MergeSchema | null {
  const properties = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const kept = pruned(field);
    return kept === null ? [] : [[name, kept] as const];
  });
  const items = schema.items === undefined ? null : pruned(schema.items);
  const kept: MergeSchema = {
    ...(properties.length > 0 && { properties: Object.fromEntries(properties) }),
    ...(items !== null && { items }),
    ...(schema[MERGE_KEY] !== undefined && { [MERGE_KEY]: schema[MERGE_KEY] }),
    ...(schema[STRATEGY] !== undefined && { [STRATEGY]: schema[STRATEGY] }),
  };
  return Object.keys(kept).length === 0 ? null : kept;
}

/** By kind. */
export function overlaySchemas(): string {
  const entries = [deployment, service, serviceAccount].map((definition) => [
    definition.kind,
    pruned(openApiSchema(definition) as MergeSchema) ?? {},
  ]);
  return `${JSON.stringify(Object.fromEntries(entries))}\n`;
}

export function overlaySchemasOnDisk(): string {
  return readFileSync(file, 'utf8');
}

if (import.meta.main) writeFileSync(file, overlaySchemas());
