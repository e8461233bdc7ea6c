import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from '@aquifer/wire';
import { type Cluster, ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ClusterLoadAssignmentSchema } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { RouteConfigurationSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { fromBinary } from '@bufbuild/protobuf';
import { compileAssignment } from '../compile/assignment.ts';
import { compileCluster } from '../compile/cluster.ts';
import { compileListener } from '../compile/listener.ts';
import { compileRoutes } from '../compile/route.ts';
import type { ServedConfig } from './snapshot.ts';

/** By which Envoy's listeners reach each other; tunnels are taken and opened without them. */
const INTERNAL_CLUSTERS: ReadonlySet<string> = new Set(['main_internal', 'connect_originate']);

export type ResourceKind = 'cluster' | 'endpoints' | 'listener' | 'routes';

/** How resources of one type are checked and applied. */
export interface ResourceHandler {
  readonly typeUrl: string;
  /** Throws if the resource cannot be served exactly as configured. */
  check(body: Uint8Array): void;
  upsert(config: ServedConfig, body: Uint8Array): void;
  remove(config: ServedConfig, name: string): void;
}

/** In the order in which they are asked for: what refers to others comes after them. */
export const RESOURCES: Readonly<Record<ResourceKind, ResourceHandler>> = {
  cluster: {
    typeUrl: CLUSTER_TYPE,
    check: (body) => checkCluster(fromBinary(ClusterSchema, body)),
    upsert: ({ clusters }, body) => {
      const cluster = fromBinary(ClusterSchema, body);
      if (cluster.name !== 'main_internal') clusters.upsertCluster(cluster);
    },
    remove: ({ clusters }, name) => clusters.removeCluster(name),
  },
  endpoints: {
    typeUrl: ENDPOINT_TYPE,
    check: (body) => void compileAssignment(fromBinary(ClusterLoadAssignmentSchema, body)),
    upsert: ({ clusters }, body) =>
      clusters.upsertEndpoints(fromBinary(ClusterLoadAssignmentSchema, body)),
    remove: ({ clusters }, name) => clusters.removeEndpoints(name),
  },
  listener: {
    typeUrl: LISTENER_TYPE,
    check: (body) => void compileListener(fromBinary(ListenerSchema, body)),
    upsert: (config, body) => {
      const listener = fromBinary(ListenerSchema, body);
      config.setListener(compileListener(listener, config.listeners.get(listener.name)?.compiled));
    },
    remove: ({ listeners }, name) => void listeners.delete(name),
  },
  routes: {
    typeUrl: ROUTE_TYPE,
    check: (body) => void compileRoutes(fromBinary(RouteConfigurationSchema, body)),
    upsert: ({ routes }, body) => {
      const config = fromBinary(RouteConfigurationSchema, body);
      routes.set(config.name, compileRoutes(config));
    },
    remove: ({ routes }, name) => void routes.delete(name),
  },
};

function checkCluster(cluster: Cluster): void {
  if (!INTERNAL_CLUSTERS.has(cluster.name)) compileCluster(cluster);
}
