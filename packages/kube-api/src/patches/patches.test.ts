import { deployment, openApiSchema, service } from '@aquifer/model/resources';
import { describe, expect, test } from 'vitest';
import { managedFieldsAfterUpdate } from '../fields/managed-fields.ts';
import { applyServerSide } from '../fields/server-side-apply.ts';
import { isObject, type JsonObject } from '../json.ts';
import { applyStrategicPatch } from './strategic-patch.ts';

const schema = openApiSchema(deployment);

function template(spec: JsonObject): JsonObject {
  return { spec: { template: { spec } } };
}

function patched(current: JsonObject, patch: JsonObject): unknown {
  const result = applyStrategicPatch(schema, template(current), template(patch));
  const { spec } = result;
  return isObject(spec) && isObject(spec.template) ? spec.template.spec : undefined;
}

const two = [
  { name: 'a', image: 'a:1', args: ['x'] },
  { name: 'b', image: 'b:1' },
];

test.for([
  {
    does: 'merges an item by its key and keeps the others',
    patch: { containers: [{ name: 'b', image: 'b:2' }] },
    result: { containers: [two[0], { name: 'b', image: 'b:2' }] },
  },
  {
    does: 'replaces a list without a key',
    patch: { containers: [{ name: 'a', args: ['y'] }] },
    result: { containers: [{ name: 'a', image: 'a:1', args: ['y'] }, two[1]] },
  },
  {
    does: 'deletes an item',
    patch: { containers: [{ name: 'a', $patch: 'delete' }] },
    result: { containers: [two[1]] },
  },
  {
    does: 'adds an item in the order asked for',
    patch: {
      containers: [{ name: 'c', image: 'c:1' }],
      '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }, { name: 'b' }],
    },
    result: { containers: [{ name: 'c', image: 'c:1' }, ...two] },
  },
  {
    does: 'replaces a whole list on demand',
    patch: { containers: [{ $patch: 'replace' }, { name: 'z', image: 'z' }] },
    result: { containers: [{ name: 'z', image: 'z' }] },
  },
  { does: 'removes what is null', patch: { containers: null }, result: {} },
])('a strategic patch $does', ({ patch, result }) => {
  expect(patched({ containers: two }, patch)).toEqual(result);
});

test('a strategy that changes its type keeps only what the patch retains', () => {
  const current = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } };
  const patch = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } };
  expect(applyStrategicPatch(schema, current, patch)).toEqual({
    spec: { strategy: { type: 'Recreate' } },
  });
});

describe('server-side apply', () => {
  const services = openApiSchema(service);
  const manager = (name: string) => ({
    name,
    operation: 'Apply' as const,
    apiVersion: 'v1',
    subresource: '',
  });
  const configuration = (spec: JsonObject, labels?: JsonObject): JsonObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', ...(labels === undefined ? {} : { labels }) },
    spec,
  });
  const apply = (live: JsonObject | null, applied: JsonObject, name: string, force = false) =>
    applyServerSide({ schema: services, live, applied, manager: manager(name), force });
  const http = { port: 80, protocol: 'TCP', name: 'http' };
  const tls = { port: 443, protocol: 'TCP', name: 'tls' };

  test('two managers own items of one list, and each removes only its own', () => {
    const first = apply(null, configuration({ ports: [http] }), 'one');
    const both = apply(first, configuration({ ports: [tls] }), 'two');
    expect(both.spec).toEqual({ ports: [http, tls] });
    const less = apply(both, configuration({}), 'one');
    expect(less.spec).toEqual({ ports: [tls] });
  });

  test('a field of another manager is a conflict, unless the values agree or it is forced', () => {
    const live = apply(null, configuration({ type: 'ClusterIP' }), 'one');
    expect(() => apply(live, configuration({ type: 'NodePort' }), 'two')).toThrow(
      'Apply failed with 1 conflict: conflict with "one": .spec.type',
    );
    expect(apply(live, configuration({ type: 'ClusterIP' }), 'two').spec).toEqual({
      type: 'ClusterIP',
    });
    const forced = apply(live, configuration({ type: 'NodePort' }), 'two', true);
    expect(forced.spec).toEqual({ type: 'NodePort' });
    const again = apply(forced, configuration({}), 'one');
    expect(again.spec).toEqual({ type: 'NodePort' });
  });

  test('an update takes a field over from who applied it', () => {
    const live = apply(null, configuration({ type: 'ClusterIP' }), 'one');
    const after = { ...live, spec: { type: 'NodePort' } };
    const managedFields = managedFieldsAfterUpdate({
      schema: services,
      custom: false,
      before: live,
      after,
      manager: { ...manager('editor'), operation: 'Update' },
    });
    expect(managedFields).toMatchObject([
      { manager: 'editor', operation: 'Update', fieldsV1: { 'f:spec': { 'f:type': {} } } },
    ]);
  });
});
