import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type TestObject, watchedKindOf } from '../derive/derivation.fixture.ts';
import type { StoredObject } from './cluster-inputs.ts';
import { shapeProblem } from './shape.ts';

const GOLDEN = new URL('../../../../test/fixtures/golden/', import.meta.url);

test.for(['wds/', 'l7/'])('every object that was recorded in %s is well formed', (folder) => {
  const problems = readdirSync(new URL(folder, GOLDEN))
    .map((name) => new URL(`${folder}${name}/objects.json`, GOLDEN))
    .filter((file) => existsSync(file))
    .flatMap((file) => JSON.parse(readFileSync(file, 'utf8')) as TestObject[])
    .map((object) => {
      const kind = watchedKindOf(object);
      return kind && shapeProblem(kind, object);
    });
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
  {
    what: 'null in a list',
    spec: { parentRefs: [null] },
    problem: 'spec.parentRefs[0]: expected an object, found null',
  },
  {
    what: 'a count below nothing',
    spec: { rules: [{ backendRefs: [{ name: 'a', weight: -1 }] }] },
    problem:
      'spec.rules[0].backendRefs[0].weight: expected a whole number from 0 to 4294967295, found -1',
  },
  {
    what: 'half a port',
    spec: { parentRefs: [{ name: 'a', port: 0.5 }] },
    problem: 'spec.parentRefs[0].port: expected a whole number from 0 to 4294967295, found 0.5',
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
  expect(shapeProblem('Service', object)).toBe('metadata.labels["app"]: expected string, found 7');
});

test('a status that says nothing yet is in order', () => {
  const object = { kind: 'HTTPRoute', metadata: { name: 'a' }, spec: {}, status: {} };
  expect(shapeProblem('HTTPRoute', { apiVersion: 'x', ...object } as StoredObject)).toBe(null);
});
