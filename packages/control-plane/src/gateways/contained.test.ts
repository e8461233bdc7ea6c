import { expect, test } from 'vitest';
import { isAllWanted, isContained } from './contained.ts';

const WANTED = {
  metadata: { labels: { app: 'waypoint' }, finalizers: ['a'] },
  spec: {
    replicas: 2,
    ports: [{ port: 80, protocol: 'TCP', name: 'http' }],
    containers: [{ name: 'proxy', ports: [{ containerPort: 8080 }] }],
  },
};

/** An object to which the fields were applied. */
function applied(fieldsV1: object, manager = 'mesh') {
  return { metadata: { managedFields: [{ manager, fieldsV1 }] } };
}

test.for([
  { what: 'a field', fields: { 'f:spec': { 'f:paused': {} } } },
  { what: 'a label', fields: { 'f:metadata': { 'f:labels': { 'f:team': {} } } } },
  {
    what: 'an item of a list',
    fields: { 'f:spec': { 'f:ports': { 'k:{"port":81,"protocol":"TCP"}': { '.': {} } } } },
  },
  { what: 'a value of a set', fields: { 'f:metadata': { 'f:finalizers': { 'v:"b"': {} } } } },
  {
    what: 'a field of an item',
    fields: { 'f:spec': { 'f:containers': { 'k:{"name":"proxy"}': { 'f:image': {} } } } },
  },
])('$what that was applied and is wanted no more is noticed', ({ fields }) => {
  expect(isAllWanted(WANTED, applied(fields), 'mesh')).toBe(false);
  expect(isAllWanted(WANTED, applied(fields, 'kubectl'), 'mesh')).toBe(true);
});

test('what is still wanted is no difference, keys that are left to defaults included', () => {
  const ports = { 'k:{"containerPort":8080,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } };
  const fields = {
    'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} }, 'f:finalizers': { 'v:"a"': {} } },
    'f:spec': { 'f:replicas': {}, 'f:containers': { 'k:{"name":"proxy"}': { 'f:ports': ports } } },
  };
  expect(isAllWanted(WANTED, applied(fields), 'mesh')).toBe(true);
  expect(isAllWanted(WANTED, { metadata: {} }, 'mesh')).toBe(true);
});

test('what the API server adds is no difference; an item that it lacks is one', () => {
  const stored = { ...WANTED, spec: { ...WANTED.spec, paused: false } };
  expect(isContained(WANTED, stored)).toBe(true);
  expect(isContained(WANTED, { ...stored, spec: { ...stored.spec, ports: [] } })).toBe(false);
});
