import { expect, test } from 'vitest';
import type { StoredObject } from './cluster-inputs.ts';
import { project } from './project.ts';

test('an object whose annotations are no map is kept as it is', () => {
  const metadata = { namespace: 'shop', name: 'web', annotations: null };
  const object = { metadata } as unknown as StoredObject;
  expect(project('HTTPRoute', object)).toBe(object);
});
