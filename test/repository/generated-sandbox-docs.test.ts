import { schemaOfKind, WITHOUT_EFFECT } from '@aquifer/kube-api';
import { kubernetesResources } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { sandboxPage, sandboxPageOnDisk } from '../generate/sandbox-docs.ts';

test('docs/sandbox.md is what the table of the API server generates', () => {
  expect(sandboxPageOnDisk(), 'run: npm run generate').toBe(sandboxPage());
});

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

function reaches(schema: Schema | undefined, path: readonly string[]): boolean {
  const [part, ...rest] = path;
  if (part === undefined) return schema !== undefined;
  const field = schema?.properties?.[part.replace('[]', '')];
  return reaches(part.endsWith('[]') ? field?.items : field, rest);
}

test('every row of the table is about a kind that is served and a field that it has', () => {
  const schemas = new Map(
    kubernetesResources.map(({ group, versions: [version = ''], plural, kind }) => [
      `${group}/${plural}`,
      schemaOfKind(group === '' ? version : `${group}/${version}`, kind, {}),
    ]),
  );
  const wrong = WITHOUT_EFFECT.filter(({ collections, path }) => {
    const places = collections === 'pods' ? ['/pods'] : collections;
    const full = collections === 'pods' ? `spec.${path}` : path;
    return !places.every((collection) =>
      reaches(schemas.get(collection), full === undefined ? [] : full.split('.')),
    );
  });
  expect(wrong).toEqual([]);
});
