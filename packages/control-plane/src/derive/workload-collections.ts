/** Workloads of every source as collections: pods, endpoints that are none, entries, and gateways of other networks. */

import type { GatewayAddress } from '@aquifer/model';
import { hasLabels } from '@aquifer/model/kubernetes';
import type { EndpointSlice, PeerAuthentication } from '@aquifer/model/resources';
import type { Context } from '../collections/cell.ts';
import type { Collection, Index } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { type ClusterInputs, objectKey } from '../ingest/cluster-inputs.ts';
import { deriveEndpointWorkloads, manualEndpoints, podTarget, serviceNameOf } from './endpoints.ts';
import { labelPairs } from './label-maps.ts';
import { type MeshSettings, serviceHostname } from './mesh.ts';
import { type MeshService, meshServiceKey } from './mesh-service.ts';
import { type SettingsCollections, settingsIn } from './mesh-settings.ts';
import { deriveNetworkGateways } from './network-gateways.ts';
import { type LabelledObject, labelsOf, nameOf, namespaceOf } from './object.ts';
import { inheritedPeerAuthentication } from './peer-authentication.ts';
import { podWorkload, sourcesOf } from './pod-resources.ts';
import type { PolicyEntry } from './policy-collections.ts';
import { isSameWorkload, type WorkloadResource, workloadResource } from './resource.ts';
import type { ServiceCollections } from './service-collections.ts';
import { hostsOf } from './service-entry.ts';
import type { BoundCondition, Waypoint } from './waypoints.ts';
import { deriveEndpointsOfEntry, deriveWorkloadEntry, labelsOfEntry } from './workload-entries.ts';
import { localityOf, type NamespacePolicies, type WorkloadContext } from './workloads.ts';

/** A WorkloadEntry in the mesh. */
interface EntryWorkload {
  readonly resource: WorkloadResource;
  readonly condition: BoundCondition | null;
}

export interface WorkloadCollections {
  /** By uid. */
  readonly workloads: Collection<WorkloadResource>;
  /** WorkloadEntries by `namespace/name`. */
  readonly workloadEntries: Collection<EntryWorkload>;
}

interface WorkloadInputs {
  readonly graph: Graph;
  readonly cluster: ClusterInputs;
  readonly mesh: SettingsCollections;
  readonly waypoints: Collection<Waypoint>;
  readonly services: ServiceCollections;
  readonly policies: Collection<PolicyEntry>;
  readonly peers: Index<PeerAuthentication>;
}

/** What a workload of that namespace is derived from, but for its services. */
type ContextOf = (namespace: string, context: Context) => Omit<WorkloadContext, 'services'>;

export function workloadCollections(inputs: WorkloadInputs): WorkloadCollections {
  const { graph } = inputs;
  const gateways = graph.flatMap(
    'network gateways',
    inputs.cluster.of('Gateway'),
    (gateway, context) =>
      deriveNetworkGateways(gateway, settingsIn(inputs.mesh, context)).map(
        (made) => [made.resource.name, made] as const,
      ),
  );
  const byNetwork = graph.index('gateways by network', gateways, ({ network }) => [network]);
  const gatewayOf = (network: string, context: Context): GatewayAddress | null =>
    network === '' ? null : (context.lookup(byNetwork, network)[0]?.address ?? null);
  const contextOf = contexts(inputs, gatewayOf);
  const servicesBehind = selectingServices(inputs);
  const workloadEntries = entryWorkloads(inputs, contextOf, servicesBehind);
  const workloads = graph.union<WorkloadResource>(
    'workloads',
    podWorkloads(inputs, contextOf, servicesBehind),
    graph.flatMap(
      'workloads of WorkloadEntries',
      workloadEntries,
      ({ resource }) => [[resource.name, resource]],
      isSameWorkload,
    ),
    endpointsOfEntries(inputs, contextOf),
    endpointsOfSlices(inputs),
    graph.flatMap(
      'workloads of network gateways',
      gateways,
      ({ resource }) => [[resource.name, resource]],
      isSameWorkload,
    ),
  );
  return { workloads, workloadEntries };
}

function contexts(
  { graph, cluster, mesh, waypoints, policies, peers }: WorkloadInputs,
  gatewayOf: (network: string, context: Context) => GatewayAddress | null,
): ContextOf {
  const listed = graph.index('selecting policies by namespace', policies, (entry) =>
    entry.resource !== null && entry.policy.spec?.selector !== undefined
      ? [namespaceOf(entry.policy)]
      : [],
  );
  return (namespace, context) => {
    const settings = settingsIn(mesh, context);
    return {
      mesh: settings,
      namespace: context.get(cluster.of('Namespace'), objectKey('', namespace)),
      waypoints: { get: (key) => context.get(waypoints, key) },
      policies: {
        authorization: namesOnce(namespace, settings.rootNamespace).flatMap((name) =>
          context.lookup(listed, name).map(({ policy }) => policy),
        ),
        ...peerPolicies(namespace, settings, (name) => context.lookup(peers, name)),
      },
      gatewayOf: (network) => gatewayOf(network, context),
    };
  };
}

function namesOnce(...names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}

/** The PeerAuthentications that workloads of a namespace may list, and what they inherit. */
function peerPolicies(
  namespace: string,
  { rootNamespace }: MeshSettings,
  lookup: (namespace: string) => readonly PeerAuthentication[],
): Omit<NamespacePolicies, 'authorization'> {
  const own = lookup(namespace);
  return {
    peer: namespace === rootNamespace ? [] : own,
    inheritedPeer: inheritedPeerAuthentication(lookup(rootNamespace), own),
  };
}

/** The services that select labels of a namespace, sorted by hostname. */
type ServicesBehind = (
  namespace: string,
  labels: Readonly<Record<string, string>>,
  context: Context,
) => readonly MeshService[];

/** A service is filed under one label that it selects, a workload asks for each that it has. */
function selectingServices({ graph, services }: WorkloadInputs): ServicesBehind {
  const bySelector = graph.index('services by selector', services.meshServices, (service) => {
    const [first] = labelPairs(service.selector ?? {}).toSorted();
    return first === undefined ? [] : [`${namespaceOf(service)}/${first}`];
  });
  return (namespace, labels, context) =>
    labelPairs(labels)
      .flatMap((pair) => context.lookup(bySelector, `${namespace}/${pair}`))
      .filter(({ selector }) => selector !== null && hasLabels(selector, labels))
      .toSorted((a, b) => (a.hostname < b.hostname ? -1 : 1));
}

function podWorkloads(
  inputs: WorkloadInputs,
  contextOf: ContextOf,
  servicesBehind: ServicesBehind,
): Collection<WorkloadResource> {
  const { graph, cluster } = inputs;
  const localities = graph.map('localities', cluster.of('Node'), localityOf);
  const servicesNaming = manualServices(inputs);
  return graph.flatMap(
    'pod workloads',
    cluster.of('Pod'),
    (pod, context) => {
      const selecting = servicesBehind(namespaceOf(pod), labelsOf(pod), context);
      const resource = podWorkload(pod, {
        ...contextOf(namespaceOf(pod), context),
        locality: context.get(localities, objectKey('', pod.spec?.nodeName ?? '')) ?? null,
        services: [...new Set([...selecting, ...servicesNaming(pod, context)])],
      });
      return resource === null ? [] : [[resource.name, resource]];
    },
    isSameWorkload,
  );
}

/** Services without a selector whose EndpointSlices name the pod. */
function manualServices(
  inputs: WorkloadInputs,
): (pod: LabelledObject, context: Context) => readonly MeshService[] {
  const { graph, cluster } = inputs;
  const manual = graph.map('manual endpoints', cluster.of('EndpointSlice'), (slice, context) =>
    manualEndpoints(slice, serviceOf(slice, context, inputs)),
  );
  const byNamespace = graph.index('manual endpoints by namespace', manual, ({ service }) => [
    namespaceOf(service),
  ]);
  const byPod = graph.index('manual endpoints by pod', manual, ({ pods }) => pods);
  return (pod, context) => {
    // Most namespaces have none: their pods need not be remembered one by one.
    if (context.lookup(byNamespace, namespaceOf(pod)).length === 0) return NONE;
    return context.lookup(byPod, podTarget(pod.metadata)).map(({ service }) => service);
  };
}

const NONE: readonly never[] = [];

/** The Service that a slice is labelled with. */
function serviceOf(
  slice: EndpointSlice,
  context: Context,
  { mesh, services }: WorkloadInputs,
): MeshService | undefined {
  const settings = settingsIn(mesh, context);
  const namespace = namespaceOf(slice);
  const hostname = serviceHostname(settings, namespace, serviceNameOf(slice));
  const service = context.get(services.meshServices, meshServiceKey(settings, namespace, hostname));
  return service?.kind === 'Service' ? service : undefined;
}

function endpointsOfSlices(inputs: WorkloadInputs): Collection<WorkloadResource> {
  return inputs.graph.flatMap(
    'endpoint workloads',
    inputs.cluster.of('EndpointSlice'),
    (slice, context) => {
      const service = serviceOf(slice, context, inputs);
      const sources = sourcesOf(slice, service === undefined ? [] : [service], null);
      return deriveEndpointWorkloads(slice, service, settingsIn(inputs.mesh, context))
        .map((workload) => workloadResource(workload, sources))
        .map((resource) => [resource.name, resource] as const);
    },
    isSameWorkload,
  );
}

function entryWorkloads(
  { graph, cluster }: WorkloadInputs,
  contextOf: ContextOf,
  servicesBehind: ServicesBehind,
): Collection<EntryWorkload> {
  return graph.map('WorkloadEntries', cluster.of('WorkloadEntry'), (entry, context) => {
    const namespace = namespaceOf(entry);
    const services = servicesBehind(namespace, labelsOfEntry(entry), context);
    const { workload, waypoint, traits, condition } = deriveWorkloadEntry(entry, {
      ...contextOf(namespace, context),
      services,
    });
    return {
      resource: workloadResource(workload, sourcesOf(entry, services, waypoint), traits),
      condition,
    };
  });
}

function endpointsOfEntries(
  { graph, cluster, mesh, services: { meshServices } }: WorkloadInputs,
  contextOf: ContextOf,
): Collection<WorkloadResource> {
  return graph.flatMap(
    'endpoints of ServiceEntries',
    cluster.of('ServiceEntry'),
    (entry, context) => {
      const namespace = namespaceOf(entry);
      const settings = settingsIn(mesh, context);
      const services = hostsOf(entry)
        .map((host) => context.get(meshServices, meshServiceKey(settings, namespace, host)))
        .filter((service) => service?.kind === entry.kind && nameOf(service) === nameOf(entry));
      const made = deriveEndpointsOfEntry(entry, {
        ...contextOf(namespace, context),
        services: services.filter((service) => service !== undefined),
      });
      return made
        .map(({ workload, waypoint, traits }) =>
          workloadResource(workload, sourcesOf(entry, NONE, waypoint), traits),
        )
        .map((resource) => [resource.name, resource] as const);
    },
    isSameWorkload,
  );
}
