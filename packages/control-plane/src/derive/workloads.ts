/** Pods to WDS Workloads (spec control-plane 2.3). */
import type { Locality, ServicePort, Workload } from '@aquifer/model';
import { canonicalIpAddress } from '@aquifer/model';
import type {
  AuthorizationPolicy,
  Namespace,
  Node,
  PeerAuthentication,
  Pod,
} from '@aquifer/model/resources';
import { GATEWAY_NAME_LABEL, REDIRECTION_ANNOTATION, TUNNEL_LABEL } from './labels.ts';
import type { MeshSettings } from './mesh.ts';
import { type MeshService, namespacedHostname } from './mesh-service.ts';
import { annotationsOf, labelsOf, nameOf, namespaceOf } from './object.ts';
import { type InheritedPeerAuthentication, peerAuthenticationKeys } from './peer-authentication.ts';
import { selectsWorkload } from './policies.ts';
import { podPorts } from './ports.ts';
import { bindWaypoint, type Waypoint, type Waypoints, waypointOfInstance } from './waypoints.ts';
import { workloadNameOf } from './workload-name.ts';

/** What a pod's Workload is derived from besides the pod; every member keeps its identity while nothing changes. */
export interface WorkloadContext {
  readonly mesh: MeshSettings;
  readonly network: string;
  readonly namespace: Namespace | undefined;
  /** Of its node; null if that is unknown or says nothing. */
  readonly locality: Locality | null;
  readonly waypoints: Waypoints;
  /** Those that select the pod, sorted by name, and then those without a selector whose EndpointSlices name it. */
  readonly services: readonly MeshService[];
  readonly policies: NamespacePolicies;
}

/** The policies that workloads of one namespace may list. */
export interface NamespacePolicies {
  /** AuthorizationPolicies with a selector, of the namespace and of the root namespace, that are sent to ztunnel. */
  readonly authorization: readonly AuthorizationPolicy[];
  readonly peer: readonly PeerAuthentication[];
  readonly inheritedPeer: InheritedPeerAuthentication;
}

/** A Workload and the waypoint that it is bound to. */
export interface DerivedWorkload {
  readonly workload: Workload;
  readonly waypoint: Waypoint | null;
}

/** Null for pods that have ended or have no address yet. */
export function deriveWorkload(pod: Pod, context: WorkloadContext): DerivedWorkload | null {
  const { mesh, network, locality, services } = context;
  const addresses = podAddresses(pod);
  if (addresses.length === 0 || isTerminal(pod)) return null;
  const labels = labelsOf(pod);
  const instanceOf = waypointOfInstance(pod, GATEWAY_NAME_LABEL, context.waypoints);
  const waypoint = instanceOf === undefined ? waypointOfWorkload(pod, context) : null;
  const workload: Workload = {
    ...namesOf(pod, mesh),
    ...tunnelOf(pod),
    addresses,
    hostname: '',
    network,
    trustDomain: mesh.trustDomain,
    waypoint: waypoint?.address ?? null,
    networkGateway: null,
    workloadType: 'pod',
    applicationTunnel: instanceOf?.inboundBinding ?? null,
    services: servicesOf(pod, services),
    authorizationPolicies: listedPolicies(labels, context),
    status: isHealthy(pod) ? 'healthy' : 'unhealthy',
    clusterId: mesh.clusterId,
    locality,
    networkMode: pod.spec?.hostNetwork === true ? 'host-network' : 'standard',
    capacity: 1,
  };
  return { workload, waypoint };
}

function namesOf(pod: Pod, mesh: MeshSettings) {
  const labels = labelsOf(pod);
  const workloadName = workloadNameOf(pod);
  return {
    uid: podUid(mesh, pod),
    name: nameOf(pod),
    namespace: namespaceOf(pod),
    node: pod.spec?.nodeName ?? '',
    serviceAccount: pod.spec?.serviceAccountName ?? '',
    workloadName,
    canonicalName: canonicalName(labels) ?? workloadName,
    canonicalRevision: canonicalRevision(labels) ?? 'latest',
  };
}

/** Only the annotation makes a captured pod HBONE, and only its exact value. */
function tunnelOf(pod: Pod): Pick<Workload, 'protocol' | 'nativeTunnel'> {
  const nativeTunnel = (labelsOf(pod)[TUNNEL_LABEL] ?? '').split(',').includes('http');
  const isCaptured = annotationsOf(pod)[REDIRECTION_ANNOTATION] === 'enabled';
  return { protocol: isCaptured || nativeTunnel ? 'hbone' : 'tcp', nativeTunnel };
}

/** `<cluster>//Pod/<namespace>/<name>`: the resource name of a pod's Workload. */
function podUid(mesh: Pick<MeshSettings, 'clusterId'>, pod: Pod): string {
  return `${mesh.clusterId}//Pod/${namespaceOf(pod)}/${nameOf(pod)}`;
}

/** In the order of `status.podIPs`, in canonical text. */
export function podAddresses(pod: Pod): string[] {
  const { podIP, podIPs = [] } = pod.status ?? {};
  const texts = podIPs.length > 0 ? podIPs.map(({ ip }) => ip) : [podIP ?? ''];
  return texts.map(canonicalIpAddress).filter((address) => address !== null);
}

/** Whether the pod has ended for good; such a pod keeps its address on record but serves nothing. */
export function isTerminal(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

function isHealthy(pod: Pod): boolean {
  if (pod.metadata.deletionTimestamp) return false;
  return (
    pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ===
    true
  );
}

function waypointOfWorkload(pod: Pod, { namespace, waypoints }: WorkloadContext): Waypoint | null {
  const binding = bindWaypoint(pod, namespace, 'workload', waypoints);
  return binding.kind === 'bound' ? binding.waypoint : null;
}

function canonicalName(labels: Readonly<Record<string, string>>): string | undefined {
  return (
    labels['service.istio.io/canonical-name'] ?? labels['app.kubernetes.io/name'] ?? labels.app
  );
}

function canonicalRevision(labels: Readonly<Record<string, string>>): string | undefined {
  return (
    labels['service.istio.io/canonical-revision'] ??
    labels['app.kubernetes.io/version'] ??
    labels.version
  );
}

function servicesOf(
  pod: Pod,
  services: readonly MeshService[],
): ReadonlyMap<string, readonly ServicePort[]> {
  return new Map(
    services.map((service) => [namespacedHostname(service), podPorts(service.ports, pod)]),
  );
}

function listedPolicies(
  labels: Readonly<Record<string, string>>,
  { policies, mesh }: WorkloadContext,
): string[] {
  const selected = policies.authorization
    .filter((policy) => selectsWorkload(policy, labels))
    .map((policy) => `${namespaceOf(policy)}/${nameOf(policy)}`)
    .toSorted();
  const { peer, inheritedPeer } = policies;
  return [...selected, ...peerAuthenticationKeys(labels, peer, inheritedPeer, mesh.rootNamespace)];
}

/** Null when the node says nothing; the beta failure-domain labels are not read. */
export function localityOf(node: Node): Locality | null {
  const labels = labelsOf(node);
  const region = labels['topology.kubernetes.io/region'] ?? '';
  const zone = labels['topology.kubernetes.io/zone'] ?? '';
  const subzone = labels['topology.istio.io/subzone'] ?? '';
  return region === '' && zone === '' && subzone === '' ? null : { region, zone, subzone };
}
