/** Test fixture: the recordings of waypoints (test/fixtures/golden/l7) as cluster states, and what is derived of them. */
import { readFileSync } from 'node:fs';
import type { Gateway } from '@aquifer/model/resources';
import { deriveGatewayStatus } from '../../gateways/gateway-status.ts';
import { applyChanges, type ClusterState, clusterStateOf } from '../../ingest/cluster-state.ts';
import { newDeriver, SETTINGS, type TestObject } from '../derivation.fixture.ts';
import type { WaypointConfig } from './waypoint-configs.ts';

const GOLDEN = new URL('../../../../../test/fixtures/golden/l7/', import.meta.url);
const CLASS = {
  kind: 'GatewayClass',
  metadata: { name: 'istio-waypoint' },
  spec: { controllerName: 'istio.io/mesh-controller' },
};

/** A file of a recording. */
export function readRecorded<T>(name: string, file: string): T {
  return JSON.parse(readFileSync(new URL(`${name}/${file}`, GOLDEN), 'utf8')) as T;
}

/** The objects of a recording. */
export function recordedObjects(name: string): TestObject[] {
  return readRecorded<TestObject[]>(name, 'objects.json');
}

/** A state of the objects in which every waypoint is ready. */
export function readyState(objects: readonly TestObject[]): ClusterState {
  const state = clusterStateOf([...objects, CLASS]);
  const changes = [...state.Gateway].map((gateway) => {
    const { namespace = '', name = '' } = gateway.metadata;
    const status = deriveGatewayStatus(gateway, state, SETTINGS) as unknown as Gateway['status'];
    return { namespace, name, object: { ...gateway, status } };
  });
  return applyChanges(state, { Gateway: changes });
}

/** What `shop/waypoint` is served. */
export function deriveWaypoint(objects: readonly TestObject[]): WaypointConfig {
  return newDeriver().derive(readyState(objects)).waypointConfigs.get('shop/waypoint')!;
}
