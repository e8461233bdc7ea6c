import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { StoredObject } from './cluster-inputs.ts';
import { WATCHED_KINDS, type WatchedKind } from './kinds.ts';
import { shapeProblem } from './shape.ts';

const GOLDEN = new URL('../../../../test/fixtures/golden/', import.meta.url);

test.for(['wds/', 'l7/'])('every object that was recorded in %s is well formed', (folder) => {
  const problems = readdirSync(new URL(folder, GOLDEN))
    .map((name) => new URL(`${folder}${name}/objects.json`, GOLDEN))
    .filter((file) => existsSync(file))
    .flatMap(
      (file) => JSON.parse(readFileSync(file, 'utf8')) as (StoredObject & { kind: string })[],
    )
    .filter(({ kind }) => kind in WATCHED_KINDS)
    .map((object) => shapeProblem(object.kind as WatchedKind, object));
  expect(problems.filter((problem) => problem !== null)).toEqual([]);
});

test.for([
  {
    what: 'a list that is an object',
    spec: { parentRefs: [], rules: {} },
    problem: 'spec.rules: expected a list, found an object',
  },
  {
    what: 'an item that is text',
    spec: { rules: [{ filters: ['x'] }] },
    problem: 'spec.rules[0].filters[0]: expected an object, found string',
  },
  {
    what: 'a name that is missing',
    spec: { parentRefs: [{ kind: 'Service' }] },
    problem: 'spec.parentRefs[0].name: is missing',
  },
  { what: 'a field that nobody knows', spec: { rules: [], later: 1 }, problem: null },
  { what: 'null, as Go writes what is not there', spec: { rules: null }, problem: null },
])('of an HTTPRoute: $what', ({ spec, problem }) => {
  const object = { apiVersion: 'x', kind: 'HTTPRoute', metadata: { name: 'a' }, spec };
  expect(shapeProblem('HTTPRoute', object)).toBe(problem);
});

test('labels that are no text are found in every kind', () => {
  const metadata = { name: 'a', labels: { app: 7 } } as unknown as StoredObject['metadata'];
  const object = { apiVersion: 'v1', kind: 'Service', metadata } as StoredObject;
  expect(shapeProblem('Service', object)).toBe(
    'metadata.labels["app"]: expected string, found number',
  );
});

test('a status that says nothing yet is in order', () => {
  const object = { kind: 'HTTPRoute', metadata: { name: 'a' }, spec: {}, status: {} };
  expect(shapeProblem('HTTPRoute', { apiVersion: 'x', ...object } as StoredObject)).toBe(null);
});
