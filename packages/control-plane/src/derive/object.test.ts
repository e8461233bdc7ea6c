import { expect, test } from 'vitest';
import { byAge } from './object.ts';

const named = (name: string, creationTimestamp = '2026-01-01T00:00:00Z', namespace = 'a') => ({
  metadata: { name, namespace, creationTimestamp },
});

test('objects of one second are in the order of bytes, whatever the language of the machine', () => {
  const names = ['b', 'a-b', 'a.a', 'aa', 'a1', 'a'].map((name) => named(name));
  const sorted = names.toSorted(byAge).map(({ metadata }) => metadata.name);
  expect(sorted).toEqual(['a', 'a-b', 'a.a', 'a1', 'aa', 'b']);
});

test('older objects come first', () => {
  const [old, young] = [named('z', '2025-12-31T23:59:59Z'), named('a')];
  expect([young, old].toSorted(byAge)).toEqual([old, young]);
});
