import { readFileSync } from 'node:fs';
import type { HTTPRoute } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { clusterStateOf } from '../ingest/cluster-state.ts';
import { deriveRouteParents } from './route-status.ts';

const GOLDEN = new URL('../../../../test/fixtures/golden/l7/07-gamma-status/', import.meta.url);
const MESH = {
  clusterId: 'Kubernetes',
  clusterDomain: 'cluster.local',
  trustDomain: 'cluster.local',
  rootNamespace: 'istio-system',
};

function read(file: string): unknown {
  return JSON.parse(readFileSync(new URL(file, GOLDEN), 'utf8'));
}

const state = clusterStateOf(read('objects.json') as { kind: string }[]);
const snapshot = { state };

test.for([...state.HTTPRoute])('route $metadata.name gets the recorded parents', (route) => {
  const statuses = read('status.json') as Record<string, HTTPRoute['status']>;
  const recorded = statuses[`HTTPRoute/shop/${route.metadata.name}`]?.parents ?? [];
  const derived = deriveRouteParents(route, snapshot, MESH);
  expect(derived).toEqual(
    recorded.map(({ parentRef, conditions = [] }) => ({
      parentRef,
      conditions: conditions.map(({ observedGeneration: _generation, ...text }) => text),
    })),
  );
});

test.for([
  { label: undefined, message: 'use-waypoint label missing' },
  { label: 'None', message: 'use-waypoint label missing' },
  { label: 'not-there', message: 'All waypoints resolved' },
])('a route whose parent has the waypoint label $label says: $message', ({ label, message }) => {
  const labels = label === undefined ? {} : { 'istio.io/use-waypoint': label };
  const service = { kind: 'Service', metadata: { namespace: 'shop', name: 'cart', labels } };
  const route = {
    metadata: { namespace: 'shop', name: 'r' },
    spec: { parentRefs: [{ group: '', kind: 'Service', name: 'cart' }] },
  } as HTTPRoute;
  const [parent] = deriveRouteParents(route, { state: clusterStateOf([service]) }, MESH);
  expect(parent?.conditions.at(-1)).toMatchObject({
    type: 'ResolvedWaypoints',
    status: 'True',
    message: expect.stringContaining(message),
  });
});

test('parents are listed from the end of the alphabet, and a backend without weight is no problem', () => {
  const parent = (name: string) => ({ group: '', kind: 'Service', name });
  const route = {
    metadata: { namespace: 'shop', name: 'r' },
    spec: {
      parentRefs: [parent('a'), parent('c'), parent('b')],
      rules: [{ backendRefs: [{ name: 'not-there', port: 80, weight: 0 }] }],
    },
  } as HTTPRoute;
  const parents = deriveRouteParents(route, { state: clusterStateOf([]) }, MESH);
  expect(parents.map(({ parentRef }) => parentRef.name)).toEqual(['c', 'b', 'a']);
  expect(parents[0]?.conditions[1]).toMatchObject({ type: 'ResolvedRefs', status: 'True' });
});

test('a rule that sets a header which is not for a route to set is an invalid filter, and named', () => {
  const requestHeaderModifier = { set: [{ name: 'Content-Length', value: '3' }] };
  const route = {
    metadata: { namespace: 'shop', name: 'r' },
    spec: {
      parentRefs: [{ group: '', kind: 'Service', name: 'cart' }],
      rules: [{ filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier }] }],
    },
  } as HTTPRoute;
  const [parent] = deriveRouteParents(route, { state: clusterStateOf([]) }, MESH);
  expect(parent?.conditions).toContainEqual({
    type: 'ResolvedRefs',
    status: 'False',
    reason: 'InvalidFilter',
    message: 'header "Content-Length" is not for a route to set',
  });
});
