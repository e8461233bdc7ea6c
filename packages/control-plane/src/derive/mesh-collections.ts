/** What node proxies are served, as collections: Addresses, Authorizations, pods to capture; and what statuses say. */
import type { Authorization, Workload, Service as WorkloadService } from '@aquifer/model';
import type { PeerAuthentication, Pod } from '@aquifer/model/resources';
import type { Collection, Index } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { type ClusterInputs, objectKey } from '../ingest/cluster-inputs.ts';
import { type AllocatedAddress, allocatedAddresses } from './allocated-addresses.ts';
import type { EnrolmentSettings } from './enrolled-pods.ts';
import type { Installation } from './mesh.ts';
import { type SettingsCollections, settingsCollections, settingsIn } from './mesh-settings.ts';
import { namespaceOf } from './object.ts';
import { type PlacedPod, placedPod } from './pod-resources.ts';
import { authorizationResources, type PolicyEntry, policyEntries } from './policy-collections.ts';
import { isSameResource, type Resource, type WorkloadResource } from './resource.ts';
import { type ServiceCollections, serviceCollections } from './service-collections.ts';
import { withAllowances } from './waypoint-allowance.ts';
import { deriveWaypoint, type Waypoint } from './waypoints.ts';
import { type WorkloadCollections, workloadCollections } from './workload-collections.ts';

export interface MeshCollections
  extends SettingsCollections,
    ServiceCollections,
    WorkloadCollections {
  /** What never changes of it. */
  readonly installation: Installation;
  readonly waypoints: Collection<Waypoint>;
  /** What hosts of ServiceEntries are given, by `namespace/name`. */
  readonly allocatedAddresses: Collection<readonly AllocatedAddress[]>;
  readonly policies: Collection<PolicyEntry>;
  /** Workloads and Services by the names of their resources. */
  readonly addresses: Collection<Resource<Workload | WorkloadService>>;
  readonly authorizations: Collection<Resource<Authorization>>;
  readonly enrolledPods: Collection<PlacedPod>;
  /** PeerAuthentications by namespace. */
  readonly peerPolicies: Index<PeerAuthentication>;
  /** By the `namespace/hostname` of each Service that they serve. */
  readonly workloadsByService: Index<WorkloadResource>;
  /** Pods by the node they are placed on. */
  readonly podsByNode: Index<Pod>;
}

export type DerivationSettings = Installation & EnrolmentSettings;

export function meshCollections(
  graph: Graph,
  cluster: ClusterInputs,
  installation: DerivationSettings,
): MeshCollections {
  const mesh = settingsCollections(graph, cluster, installation);
  const waypoints = graph.map('waypoints', cluster.of('Gateway'), (gateway, context) => {
    const classKey = objectKey('', gateway.spec.gatewayClassName);
    const gatewayClass = context.get(cluster.of('GatewayClass'), classKey);
    return deriveWaypoint(gateway, gatewayClass, settingsIn(mesh, context).network);
  });
  const services = serviceCollections({ graph, cluster, installation, mesh, waypoints });
  const policies = policyEntries({ graph, cluster, mesh, waypoints, services });
  const peers = graph.index(
    'peer policies by namespace',
    cluster.of('PeerAuthentication'),
    (peer) => [namespaceOf(peer)],
  );
  const inputs = { graph, cluster, mesh, waypoints, services, policies, peers };
  const { workloads: derived, workloadEntries } = workloadCollections(inputs);
  const own = authorizationResources({ graph, cluster, mesh }, policies, peers);
  const { workloads, authorizations } = installation.isWaypointAllowed
    ? withAllowances(inputs, derived, own)
    : { workloads: derived, authorizations: own };
  return {
    ...mesh,
    installation,
    waypoints,
    ...services,
    allocatedAddresses: allocatedAddresses(graph, cluster.of('ServiceEntry')),
    policies,
    workloads,
    workloadEntries,
    addresses: graph.union<Resource<Workload | WorkloadService>>(
      'addresses',
      graph.flatMap(
        'service addresses',
        services.services,
        ({ resource }) => [[resource.name, resource]],
        isSameResource,
      ),
      workloads,
    ),
    authorizations,
    enrolledPods: graph.flatMap(
      'enrolled pods',
      cluster.of('Pod'),
      (pod, context) => {
        const namespace = context.get(cluster.of('Namespace'), objectKey('', namespaceOf(pod)));
        const placed = placedPod(pod, namespace, installation);
        return placed === null ? [] : [[placed.resource.name, placed]];
      },
      isSamePlace,
    ),
    peerPolicies: peers,
    workloadsByService: graph.index('workloads by service', workloads, ({ value }) =>
      value.services.keys(),
    ),
    podsByNode: graph.index('pods by node', cluster.of('Pod'), ({ spec }) =>
      spec?.nodeName ? [spec.nodeName] : [],
    ),
  };
}

function isSamePlace(before: PlacedPod, now: PlacedPod): boolean {
  return before.node === now.node && isSameResource(before.resource, now.resource);
}
