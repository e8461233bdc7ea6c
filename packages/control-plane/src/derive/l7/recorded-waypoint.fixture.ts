/** Test fixture: the recordings of waypoints (test/fixtures/golden/l7) as clusters, and what is derived of them. */
import { readFileSync } from 'node:fs';
import { type Cluster, ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { type Listener, ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { UNTRACKED } from '../../collections/cell.ts';
import type { Collection } from '../../collections/collection.ts';
import { OWN_CLASSES } from '../../gateways/gateway-classes.ts';
import { deriveGatewayStatus } from '../../gateways/gateway-status.ts';
import { SETTINGS, TestCluster, type TestObject, valuesOf } from '../derivation.fixture.ts';
import type { ResourceMap } from '../resource.ts';
import type { OwnedResource } from './owned-resource.ts';

const GOLDEN = new URL('../../../../../test/fixtures/golden/l7/', import.meta.url);
const CLASSES = OWN_CLASSES.map(({ name, controllerName }) => ({
  kind: 'GatewayClass',
  metadata: { name },
  spec: { controllerName },
}));

/** What one waypoint is served, by name. */
export interface WaypointConfig {
  readonly clusters: ResourceMap<Cluster>;
  readonly endpoints: ResourceMap<ClusterLoadAssignment>;
  readonly listeners: ResourceMap<Listener>;
}

/** Where a file of a recording is. */
export function recordedUrl(name: string, file: string): URL {
  return new URL(`${name}/${file}`, GOLDEN);
}

/** A file of a recording. */
export function readRecorded<T>(name: string, file: string): T {
  return JSON.parse(readFileSync(recordedUrl(name, file), 'utf8')) as T;
}

/** The configuration of the mesh that was recorded. */
export const RECORDED_MESH: TestObject = {
  kind: 'MeshConfigMap',
  metadata: { namespace: 'istio-system', name: 'istio' },
  data: { mesh: readFileSync(new URL('mesh.yaml', GOLDEN), 'utf8') },
};

/** The objects of a recording. */
export function recordedObjects(name: string): TestObject[] {
  return readRecorded<TestObject[]>(name, 'objects.json');
}

/** A cluster of the objects in which every waypoint is ready. */
export function readyCluster(objects: readonly TestObject[]): TestCluster {
  const cluster = new TestCluster([...objects, ...CLASSES]);
  const { mesh, routing } = cluster.derivation;
  const inputs = {
    cluster: cluster.derivation.cluster,
    mesh,
    gatewayApi: routing.gatewayApi,
    settings: SETTINGS,
  };
  const gateways = valuesOf(cluster.derivation.cluster.of('Gateway'));
  const ready = gateways.map((gateway) => {
    const { gatewayClassName } = gateway.spec;
    const { controllerName } = OWN_CLASSES.find(({ name }) => name === gatewayClassName)!;
    const status = deriveGatewayStatus(gateway, controllerName, inputs, UNTRACKED);
    return { ...gateway, status } as unknown as TestObject;
  });
  cluster.put(...ready);
  return cluster;
}

/** What each waypoint is served, by `namespace/name`. */
export function waypointConfigs({ derivation }: TestCluster): ReadonlyMap<string, WaypointConfig> {
  const { clusters, endpoints, listeners } = derivation.waypoints;
  const owners = new Set(valuesOf(clusters).map(({ owner }) => owner));
  return new Map(
    [...owners].map((owner) => [
      owner,
      {
        clusters: ownedBy(owner, clusters, ClusterSchema),
        endpoints: ownedBy(owner, endpoints, ClusterLoadAssignmentSchema),
        listeners: ownedBy(owner, listeners, ListenerSchema),
      },
    ]),
  );
}

/** As messages, though only bytes are kept. */
function ownedBy<Desc extends DescMessage>(
  owner: string,
  collection: Collection<OwnedResource>,
  schema: Desc,
): ResourceMap<MessageShape<Desc>> {
  const owned = valuesOf(collection).filter((candidate) => candidate.owner === owner);
  const read = owned.map(({ resource }) => {
    const value = fromBinary(schema, resource.bytes);
    return [resource.name, { ...resource, value }] as const;
  });
  return new Map(read);
}

/** What `shop/waypoint` is served. */
export function deriveWaypoint(objects: readonly TestObject[]): WaypointConfig {
  return waypointConfigs(readyCluster(objects)).get('shop/waypoint')!;
}
