import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from '@aquifer/wire';
import { type Cluster, ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ClusterLoadAssignmentSchema } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { RouteConfigurationSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { fromBinary } from '@bufbuild/protobuf';
import { readAssignment } from '../clusters/cluster-manager.ts';
import { compileListener } from '../compile/listener.ts';
import { compileRoutes } from '../compile/route.ts';
import type { ServedConfig } from './snapshot.ts';

/** Names of the clusters by which Envoy's listeners reach each other; their endpoints are listeners of its own. */
const INTERNAL_CLUSTERS: ReadonlySet<string> = new Set([
  'main_internal',
  'encap',
  'connect_originate',
]);

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
    check: (body) => void readAssignment(fromBinary(ClusterLoadAssignmentSchema, body)),
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

/** Clusters that lead to listeners inside the proxy are not dialled: their endpoints have no tunnel destination. */
function checkCluster({ name, loadAssignment }: Cluster): void {
  if (loadAssignment === undefined || INTERNAL_CLUSTERS.has(name)) return;
  readAssignment(loadAssignment);
}
