/** Writes `deploy/crds/` from the resource descriptions: one file for each group. Run by `npm run generate`. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  customResourceDefinitionOf,
  gatewayApiResources,
  istioResources,
  type ResourceDefinition,
} from '@aquifer/model/resources';
import { stringify } from 'yaml';

const directory = join(import.meta.dirname, '../../deploy/crds');

/** File name → its text, as it should be on disk. */
export function crdFiles(): Map<string, string> {
  const groups = Map.groupBy(
    [...gatewayApiResources, ...istioResources],
    (definition: ResourceDefinition) => definition.group,
  );
  return new Map(
    [...groups].map(([group, definitions]) => [
      `${group}.yaml`,
      definitions.map((definition) => document(definition)).join('---\n'),
    ]),
  );
}

function document(definition: ResourceDefinition): string {
  return stringify(customResourceDefinitionOf(definition), {
    lineWidth: 0,
    aliasDuplicateObjects: false,
  });
}

/** What is on disk; undefined where a file is missing. */
export function crdFileOnDisk(name: string): string | undefined {
  try {
    return readFileSync(join(directory, name), 'utf8');
  } catch {
    return undefined;
  }
}

if (import.meta.main) {
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of crdFiles()) writeFileSync(join(directory, name), text);
}
