import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from '@aquifer/wire';
import { type Cluster, ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { type Listener, ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { RouteConfigurationSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { CapabilityCheck } from '../capabilities/check.ts';
import { CAPABILITIES, TUNNEL_CAPABILITIES } from '../capabilities/table.ts';
import { TUNNEL_RESOURCES } from '../capabilities/tunnels.ts';
import { compileAssignment } from '../compile/assignment.ts';
import { compileCluster } from '../compile/cluster.ts';
import { compileListener } from '../compile/listener.ts';
import { compileRoutes } from '../compile/route.ts';
import { refuseUndialled, refuseUnreachable } from '../compile/transport.ts';
import type { ServedConfig } from './snapshot.ts';

/** By which Envoy's listeners reach each other; tunnels are taken and opened without them. */
const INTERNAL_CLUSTERS: ReadonlySet<string> = new Set(['main_internal', 'connect_originate']);

export type ResourceKind = 'cluster' | 'endpoints' | 'listener' | 'routes';

/** How resources of one type are checked and applied. */
export interface ResourceHandler {
  readonly typeUrl: string;
  /**
   * Throws `ConfigProblem` if the resource cannot be served as configured. For the main thread: what has passed is
   * applied on the others without being asked for again.
   */
  check(body: Uint8Array): void;
  upsert(config: ServedConfig, body: Uint8Array): void;
  remove(config: ServedConfig, name: string): void;
}

/** In the order in which they are asked for: what refers to others comes after them. */
export const RESOURCES: Readonly<Record<ResourceKind, ResourceHandler>> = {
  cluster: {
    typeUrl: CLUSTER_TYPE,
    check: (body) => checkCluster(read(ClusterSchema, body)),
    upsert: ({ clusters }, body) => {
      const cluster = fromBinary(ClusterSchema, body);
      if (cluster.name !== 'main_internal') clusters.upsertCluster(cluster);
    },
    remove: ({ clusters }, name) => clusters.removeCluster(name),
  },
  endpoints: {
    typeUrl: ENDPOINT_TYPE,
    check: (body) => checkEndpoints(read(ClusterLoadAssignmentSchema, body)),
    upsert: ({ clusters }, body) =>
      clusters.upsertEndpoints(fromBinary(ClusterLoadAssignmentSchema, body)),
    remove: ({ clusters }, name) => clusters.removeEndpoints(name),
  },
  listener: {
    typeUrl: LISTENER_TYPE,
    check: (body) => checkListener(read(ListenerSchema, body)),
    upsert: (config, body) => {
      const listener = fromBinary(ListenerSchema, body);
      if (TUNNEL_RESOURCES.has(listener.name)) return;
      config.setListener(compileListener(listener, config.listeners.get(listener.name)?.compiled));
    },
    remove: ({ listeners }, name) => void listeners.delete(name),
  },
  routes: {
    typeUrl: ROUTE_TYPE,
    check: (body) => void compileRoutes(read(RouteConfigurationSchema, body)),
    upsert: ({ routes }, body) => {
      const config = fromBinary(RouteConfigurationSchema, body);
      routes.set(config.name, compileRoutes(config));
    },
    remove: ({ routes }, name) => void routes.delete(name),
  },
};

const CHECK = new CapabilityCheck(CAPABILITIES);
const TUNNEL_CHECK = new CapabilityCheck(TUNNEL_CAPABILITIES);

/** A resource of which every field is known; `ConfigProblem` if one is not. */
function read<Schema extends DescMessage>(schema: Schema, body: Uint8Array): MessageShape<Schema> {
  const message = fromBinary(schema, body);
  const { name = '' } = message as { readonly name?: string };
  (TUNNEL_RESOURCES.has(name) ? TUNNEL_CHECK : CHECK).check(schema, message);
  return message;
}

/** Those of tunnels are not compiled: the listener of HBONE is there without one. */
function checkListener(listener: Listener): void {
  if (!TUNNEL_RESOURCES.has(listener.name)) compileListener(listener);
}

function checkCluster(cluster: Cluster): void {
  refuseUndialled(cluster);
  if (cluster.loadAssignment !== undefined) refuseUnreachable(cluster.loadAssignment);
  if (!INTERNAL_CLUSTERS.has(cluster.name)) compileCluster(cluster);
}

function checkEndpoints(assignment: ClusterLoadAssignment): void {
  refuseUnreachable(assignment);
  compileAssignment(assignment);
}
