/** All that is derived from the cluster, as one graph; others may add collections of their own before the first round. */
import { isDeepStrictEqual } from 'node:util';
import type { Collection } from '../collections/collection.ts';
import { Graph } from '../collections/graph.ts';
import type { Input, ProblemListener } from '../collections/nodes.ts';
import { ClusterInputs } from '../ingest/cluster-inputs.ts';
import { type MalformedObjects, malformedObjects } from '../ingest/malformed.ts';
import type { ReferredMap } from '../ingest/referred-maps.ts';
import { gatewayApiCollections } from './gateway-api/gateway-api-collections.ts';
import { type GatewayCollections, gatewayCollections } from './l7/gateway/gateway-collections.ts';
import { type GrpcCollections, grpcCollections } from './l7/grpc/grpc-collections.ts';
import type { ProxyNode } from './l7/proxy-node.ts';
import { keySetAddresses } from './l7/request-authentication.ts';
import { type RoutingLookups, routingLookups } from './l7/routing-lookups.ts';
import { type SidecarCollections, sidecarCollections } from './l7/sidecar/sidecar-collections.ts';
import { type WaypointCollections, waypointCollections } from './l7/waypoint-collections.ts';
import {
  type DerivationSettings,
  type MeshCollections,
  meshCollections,
} from './mesh-collections.ts';
import { telemetryLookups } from './telemetry/telemetry-lookups.ts';

export class Derivation {
  readonly graph: Graph;
  readonly cluster: ClusterInputs;
  readonly mesh: MeshCollections;
  readonly routing: RoutingLookups;
  readonly waypoints: WaypointCollections;
  /** JSON Web Key Sets, by the address that they were fetched from. */
  readonly keySets: Input<string>;
  /** Addresses that RequestAuthentications name. */
  readonly keySetAddresses: Collection<string>;
  /** Sidecars, gateways and gRPC clients that are connected, by key: what they are served is derived while they are. */
  readonly proxies: Input<ProxyNode>;
  readonly sidecars: SidecarCollections;
  readonly grpcClients: GrpcCollections;
  readonly gateways: GatewayCollections;
  /** Whether accounts of gateways may read the Secrets of their namespaces, by `namespace/name`. */
  readonly secretReaders: Input<'allowed' | 'refused'>;
  /** ConfigMaps that Gateways and their classes refer to, as far as they were looked up. */
  readonly referredMaps: Input<ReferredMap>;
  /** What of the cluster cannot be read. */
  readonly malformed: MalformedObjects;

  constructor(settings: DerivationSettings, onProblem: ProblemListener) {
    this.graph = new Graph(onProblem);
    this.cluster = new ClusterInputs(this.graph);
    this.malformed = malformedObjects(this.graph);
    this.referredMaps = this.graph.input<ReferredMap>(
      'ConfigMaps that are referred to',
      isDeepStrictEqual,
    );
    this.mesh = meshCollections(this.graph, this.cluster, settings);
    const gatewayApi = gatewayApiCollections(this.graph, this.cluster, settings);
    this.routing = routingLookups(this.graph, this.cluster, this.mesh, gatewayApi);
    this.keySets = this.graph.input('key sets');
    const { graph, cluster, mesh, routing, keySets } = this;
    this.keySetAddresses = keySetAddresses(graph, cluster);
    const telemetryOf = telemetryLookups(graph, cluster, mesh);
    const inputs = { graph, cluster, mesh, routing, keySets, telemetryOf };
    this.waypoints = waypointCollections(inputs);
    this.proxies = graph.input<ProxyNode>('proxies', isDeepStrictEqual);
    this.sidecars = sidecarCollections(inputs, this.proxies);
    this.grpcClients = grpcCollections(inputs, this.sidecars.views);
    this.secretReaders = graph.input('readers of Secrets');
    this.gateways = gatewayCollections(inputs, this.proxies, this.secretReaders);
  }

  /** One round: what was put into the inputs reaches everything that depends on it. */
  settle(): void {
    this.graph.settle();
  }
}
