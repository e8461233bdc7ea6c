import { readFileSync } from 'node:fs';
import type { HTTPRoute } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { deriveWaypoints } from '../derive/waypoints.ts';
import { applyChanges, clusterStateOf } from '../ingest/cluster-state.ts';
import { deriveGatewayStatus } from './gateway-status.ts';
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

/** The recorded objects, with the waypoint's status as our controller writes it. */
function recordedState() {
  const state = clusterStateOf(read('objects.json') as { kind: string }[]);
  const ready = [...state.Gateway].map((gateway) => {
    const status = deriveGatewayStatus(gateway, state, MESH);
    const object = { ...gateway, status } as unknown as typeof gateway;
    return { namespace: 'shop', name: gateway.metadata.name ?? '', object };
  });
  return applyChanges(state, { Gateway: ready });
}

const state = recordedState();
const snapshot = { state, waypoints: deriveWaypoints(state.Gateway, state.GatewayClass, '') };

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

test('a route whose parent has no waypoint says that it will not be respected', () => {
  const service = { kind: 'Service', metadata: { namespace: 'shop', name: 'cart' } };
  const bare = clusterStateOf([service]);
  const route = {
    metadata: { namespace: 'shop', name: 'r' },
    spec: { parentRefs: [{ group: '', kind: 'Service', name: 'cart' }] },
  } as HTTPRoute;
  const [parent] = deriveRouteParents(route, { state: bare, waypoints: new Map() }, MESH);
  expect(parent?.conditions.at(-1)).toMatchObject({
    type: 'ResolvedWaypoints',
    status: 'True',
    message: expect.stringContaining('use-waypoint label missing'),
  });
});
