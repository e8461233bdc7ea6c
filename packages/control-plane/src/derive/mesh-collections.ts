/** What node proxies are served, as collections: Addresses, Authorizations, pods to capture; and what statuses say. */
import type { Authorization, Workload, Service as WorkloadService } from '@aquifer/model';
import type {
  AuthorizationPolicy,
  EndpointSlice,
  PeerAuthentication,
  Pod,
} from '@aquifer/model/resources';
import type { Context } from '../collections/cell.ts';
import type { Collection, Index } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { type ClusterInputs, objectKey } from '../ingest/cluster-inputs.ts';
import { deriveEndpointWorkloads, manualEndpoints, podTarget, serviceNameOf } from './endpoints.ts';
import type { EnrolmentSettings } from './enrolled-pods.ts';
import { NETWORK_LABEL } from './labels.ts';
import { type MeshSettings, serviceHostname } from './mesh.ts';
import { type MeshService, meshServiceKey } from './mesh-service.ts';
import { labelsOf, nameOf, namespaceOf, refTo } from './object.ts';
import {
  convertPeerAuthentication,
  hasSelector,
  inheritedPeerAuthentication,
  staticStrictPolicy,
} from './peer-authentication.ts';
import { type PlacedPod, placedPod, podWorkload } from './pod-resources.ts';
import { convertPolicy, type PolicyVerdict } from './policies.ts';
import {
  authorizationResource,
  isSameResource,
  type Resource,
  workloadResource,
} from './resource.ts';
import { hasLabels, labelPairs } from './selectors.ts';
import { type ServiceCollections, serviceCollections, sourceKey } from './service-collections.ts';
import { type AttachmentVerdict, deriveAttachment } from './waypoint-policies.ts';
import { deriveWaypoint, type Waypoint, type Waypoints } from './waypoints.ts';
import { localityOf, type NamespacePolicies, type WorkloadContext } from './workloads.ts';

/** What an AuthorizationPolicy becomes at node proxies, and what its status says. */
interface PolicyEntry {
  readonly policy: AuthorizationPolicy;
  /** Null if node proxies are not sent it. */
  readonly resource: Resource<Authorization> | null;
  readonly verdict: PolicyVerdict | null;
  readonly attachment: AttachmentVerdict | null;
}

export interface MeshCollections extends ServiceCollections {
  /** The network of the cluster, under the key `''`; nothing if it has no name. */
  readonly network: Collection<string>;
  readonly waypoints: Collection<Waypoint>;
  readonly policies: Collection<PolicyEntry>;
  /** Workloads and Services by the names of their resources. */
  readonly addresses: Collection<Resource<Workload | WorkloadService>>;
  /** Of pods and of endpoints that are none. */
  readonly workloads: Collection<Resource<Workload>>;
  readonly authorizations: Collection<Resource<Authorization>>;
  readonly enrolledPods: Collection<PlacedPod>;
  /** By the `namespace/hostname` of each Service that they serve. */
  readonly workloadsByService: Index<Resource<Workload>>;
  /** Pods by the node they are placed on. */
  readonly podsByNode: Index<Pod>;
}

export type DerivationSettings = MeshSettings & EnrolmentSettings;

export function meshCollections(
  graph: Graph,
  cluster: ClusterInputs,
  settings: DerivationSettings,
): MeshCollections {
  const network = graph.flatMap('network', cluster.of('Namespace'), (namespace) => {
    const name = labelsOf(namespace)[NETWORK_LABEL];
    return nameOf(namespace) === settings.rootNamespace && name !== undefined ? [['', name]] : [];
  });
  const waypoints = graph.map('waypoints', cluster.of('Gateway'), (gateway, context) => {
    const classKey = objectKey('', gateway.spec.gatewayClassName);
    const gatewayClass = context.get(cluster.of('GatewayClass'), classKey);
    return deriveWaypoint(gateway, gatewayClass, context.get(network, '') ?? '');
  });
  const services = serviceCollections({ graph, cluster, settings, network, waypoints });
  const base: Base = { graph, cluster, settings, network, waypoints, services };
  const policies = policyEntries(base);
  const peers = graph.index(
    'peer policies by namespace',
    cluster.of('PeerAuthentication'),
    (peer) => [namespaceOf(peer)],
  );
  const workloads = workloadResources(base, policies, peers);
  return {
    network,
    waypoints,
    ...services,
    policies,
    workloads,
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
    authorizations: authorizationResources(base, policies, peers),
    enrolledPods: graph.flatMap(
      'enrolled pods',
      cluster.of('Pod'),
      (pod, context) => {
        const namespace = context.get(cluster.of('Namespace'), objectKey('', namespaceOf(pod)));
        const placed = placedPod(pod, namespace, settings);
        return placed === null ? [] : [[placed.resource.name, placed]];
      },
      isSamePlace,
    ),
    workloadsByService: graph.index('workloads by service', workloads, ({ value }) =>
      value.services.keys(),
    ),
    podsByNode: graph.index('pods by node', cluster.of('Pod'), ({ spec }) =>
      spec?.nodeName ? [spec.nodeName] : [],
    ),
  };
}

/** What the parts have in common. */
interface Base {
  readonly graph: Graph;
  readonly cluster: ClusterInputs;
  readonly settings: DerivationSettings;
  readonly network: Collection<string>;
  readonly waypoints: Collection<Waypoint>;
  readonly services: ServiceCollections;
}

function waypointsOf({ waypoints }: Pick<Base, 'waypoints'>, context: Context): Waypoints {
  return { get: (key) => context.get(waypoints, key) };
}

function isSamePlace(before: PlacedPod, now: PlacedPod): boolean {
  return before.node === now.node && isSameResource(before.resource, now.resource);
}

function policyEntries(base: Base): Collection<PolicyEntry> {
  const { graph, cluster, settings, services } = base;
  const { rootNamespace } = settings;
  return graph.map('policies', cluster.of('AuthorizationPolicy'), (policy, context) => {
    const { authorization, verdict } = convertPolicy(policy, rootNamespace);
    return {
      policy,
      resource: authorization && authorizationResource(authorization, [refTo(policy)]),
      verdict,
      attachment: deriveAttachment(policy, {
        cluster: cluster.readerOf(context),
        boundTo: (...object) =>
          context.lookup(services.servicesBySource, sourceKey(...object))[0]?.waypoints[0],
        waypoints: waypointsOf(base, context),
        rootNamespace,
      }),
    };
  });
}

type PeersByNamespace = Index<PeerAuthentication>;

/** Workloads of pods, and of endpoints that are none. */
function workloadResources(
  base: Base,
  policies: Collection<PolicyEntry>,
  peers: PeersByNamespace,
): Collection<Resource<Workload>> {
  const { graph, cluster, settings, network } = base;
  const servicesOf = podServices(base);
  const localities = graph.map('localities', cluster.of('Node'), localityOf);
  const listed = graph.index('selecting policies by namespace', policies, (entry) =>
    entry.resource !== null && entry.policy.spec?.selector !== undefined
      ? [namespaceOf(entry.policy)]
      : [],
  );
  const pods = graph.flatMap(
    'pod workloads',
    cluster.of('Pod'),
    (pod, context) => {
      const namespace = namespaceOf(pod);
      const workloadContext: WorkloadContext = {
        mesh: settings,
        network: context.get(network, '') ?? '',
        namespace: context.get(cluster.of('Namespace'), objectKey('', namespace)),
        locality: context.get(localities, objectKey('', pod.spec?.nodeName ?? '')) ?? null,
        waypoints: waypointsOf(base, context),
        services: servicesOf(pod, context),
        policies: {
          authorization: namesOnce(namespace, settings.rootNamespace).flatMap((name) =>
            context.lookup(listed, name).map(({ policy }) => policy),
          ),
          ...peerPolicies(namespace, settings, (name) => context.lookup(peers, name)),
        },
      };
      const resource = podWorkload(pod, workloadContext);
      return resource === null ? [] : [[resource.name, resource]];
    },
    isSameResource,
  );
  const slices = graph.flatMap(
    'endpoint workloads',
    cluster.of('EndpointSlice'),
    (slice, context) => {
      const service = serviceOf(slice, context, base);
      const sources = [refTo(slice), ...(service === undefined ? [] : [refTo(service)])];
      return deriveEndpointWorkloads(slice, service, settings, context.get(network, '') ?? '')
        .map((workload) => workloadResource(workload, sources))
        .map((resource) => [resource.name, resource] as const);
    },
    isSameResource,
  );
  return graph.union('workloads', pods, slices);
}

/** The Service that a slice is labelled with. */
function serviceOf(
  slice: EndpointSlice,
  context: Context,
  { settings, services }: Base,
): MeshService | undefined {
  const namespace = namespaceOf(slice);
  const hostname = serviceHostname(settings, namespace, serviceNameOf(slice));
  return context.get(services.meshServices, meshServiceKey(settings, namespace, hostname));
}

/** Finds the services of a pod: a service is filed under one label that it selects, a pod asks for each that it has. */
function podServices(base: Base): (pod: Pod, context: Context) => readonly MeshService[] {
  const { graph, cluster, services } = base;
  const bySelector = graph.index('services by selector', services.meshServices, (service) => {
    const [first] = labelPairs(service.selector ?? {}).toSorted();
    return first === undefined ? [] : [`${namespaceOf(service)}/${first}`];
  });
  const manual = graph.map('manual endpoints', cluster.of('EndpointSlice'), (slice, context) =>
    manualEndpoints(slice, serviceOf(slice, context, base)),
  );
  const byNamespace = graph.index('manual endpoints by namespace', manual, ({ service }) => [
    namespaceOf(service),
  ]);
  const byPod = graph.index('manual endpoints by pod', manual, ({ pods }) => pods);
  return (pod, context) => {
    const labels = labelsOf(pod);
    const selecting = labelPairs(labels)
      .flatMap((pair) => context.lookup(bySelector, `${namespaceOf(pod)}/${pair}`))
      .filter(({ selector }) => selector !== null && hasLabels(selector, labels))
      .toSorted((a, b) => (a.hostname < b.hostname ? -1 : 1));
    // Most namespaces have none: their pods need not be remembered one by one.
    const hasManual = context.lookup(byNamespace, namespaceOf(pod)).length > 0;
    const named = hasManual ? context.lookup(byPod, podTarget(pod.metadata)) : [];
    return [...new Set([...selecting, ...named.map(({ service }) => service)])];
  };
}

function namesOnce(...names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}

function peerPolicies(
  namespace: string,
  { rootNamespace }: DerivationSettings,
  lookup: (namespace: string) => readonly PeerAuthentication[],
): Omit<NamespacePolicies, 'authorization'> {
  const own = lookup(namespace);
  return {
    peer: namespace === rootNamespace ? [] : own,
    inheritedPeer: inheritedPeerAuthentication(lookup(rootNamespace), own),
  };
}

/** Of AuthorizationPolicies, of PeerAuthentications with ports, and the one that refuses plaintext. */
function authorizationResources(
  { graph, cluster, settings }: Base,
  policies: Collection<PolicyEntry>,
  peers: PeersByNamespace,
): Collection<Resource<Authorization>> {
  const { rootNamespace } = settings;
  const own = graph.map(
    'authorizations of policies',
    policies,
    ({ resource }) => resource,
    isSameResource,
  );
  const converted = graph.flatMap(
    'authorizations of peer policies',
    cluster.of('PeerAuthentication'),
    (peer, context) => {
      const namespace = namespaceOf(peer);
      if (namespace === rootNamespace || !hasSelector(peer)) return [];
      const { inheritedPeer } = peerPolicies(namespace, settings, (name) =>
        context.lookup(peers, name),
      );
      const authorization = convertPeerAuthentication(peer, inheritedPeer);
      if (authorization === null) return [];
      const resource = authorizationResource(authorization, [refTo(peer)]);
      return [[resource.name, resource]];
    },
    isSameResource,
  );
  const all = graph.index('peer policies', cluster.of('PeerAuthentication'), () => ['']);
  const once = graph.constant('settings', settings);
  const strict = graph.flatMap(
    'static strict policy',
    once,
    (_settings, context) => {
      const found = context.lookup(all, '');
      if (found.length === 0) return [];
      const sources = found.filter(({ spec }) => spec?.mtls?.mode === 'STRICT').map(refTo);
      const resource = authorizationResource(staticStrictPolicy(rootNamespace), sources);
      return [[resource.name, resource]];
    },
    isSameResource,
  );
  return graph.union('authorizations', own, converted, strict);
}
