import { expect, test } from 'vitest';
import type { StoredObject } from './cluster-inputs.ts';
import { project } from './project.ts';

test('an object whose annotations are no map is kept as it is', () => {
  const metadata = { namespace: 'shop', name: 'web', annotations: 'none' };
  const object = { metadata } as unknown as StoredObject;
  expect(project('HTTPRoute', object)).toBe(object);
});

test('a field that is null is as if it were not there', () => {
  const metadata = { namespace: 'shop', name: 'web', labels: null };
  const spec = { hosts: ['web'], http: [{ match: null, route: [] }], tls: null };
  const object = { metadata, spec } as unknown as StoredObject;
  expect(project('VirtualService', object)).toEqual({
    metadata: { namespace: 'shop', name: 'web' },
    spec: { hosts: ['web'], http: [{ route: [] }] },
  });
});
