/** Pods to WDS Workloads (spec control-plane 2.3), and what Workloads of any source have in common. */
import type { GatewayAddress, Locality, ServicePort, Workload } from '@aquifer/model';
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
import { annotationsOf, type LabelledObject, labelsOf, nameOf, namespaceOf } from './object.ts';
import { type InheritedPeerAuthentication, peerAuthenticationKeys } from './peer-authentication.ts';
import { selectsWorkload } from './policies.ts';
import { podPorts, podPortsByName } from './ports.ts';
import { bindWaypoint, type Waypoint, type Waypoints, waypointOfInstance } from './waypoints.ts';
import { workloadNameOf } from './workload-name.ts';

/** What Workloads are derived from besides their objects; every member keeps its identity while nothing changes. */
export interface WorkloadContext {
  readonly mesh: MeshSettings;
  readonly namespace: Namespace | undefined;
  readonly waypoints: Waypoints;
  /** Those that it is behind. */
  readonly services: readonly MeshService[];
  readonly policies: NamespacePolicies;
  /** The way into a network from others; null if there is none. */
  readonly gatewayOf: (network: string) => GatewayAddress | null;
}

export interface PodContext extends WorkloadContext {
  /** Of its node; null if that is unknown or says nothing. */
  readonly locality: Locality | null;
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
export function deriveWorkload(pod: Pod, context: PodContext): DerivedWorkload | null {
  const { mesh, locality, services, gatewayOf } = context;
  const addresses = podAddresses(pod);
  if (addresses.length === 0 || isTerminal(pod)) return null;
  const instanceOf = waypointOfInstance(pod, GATEWAY_NAME_LABEL, context.waypoints);
  const waypoint = instanceOf === undefined ? waypointOfWorkload(pod, context) : null;
  const workload: Workload = {
    ...describeWorkload(pod, workloadNameOf(pod), context),
    ...stateOf(pod),
    uid: podUid(mesh, pod),
    addresses,
    hostname: '',
    network: mesh.network,
    waypoint: waypoint?.address ?? null,
    networkGateway: gatewayOf(mesh.network),
    applicationTunnel: instanceOf?.inboundBinding ?? null,
    services: servicesOf(pod, services),
    locality,
    capacity: 1,
  };
  return { workload, waypoint };
}

function stateOf({ metadata, spec, status }: Pod) {
  const isReady = status?.conditions?.some(
    (condition) => condition.type === 'Ready' && condition.status === 'True',
  );
  return {
    node: spec?.nodeName ?? '',
    serviceAccount: spec?.serviceAccountName ?? '',
    status: isReady === true && !metadata.deletionTimestamp ? 'healthy' : 'unhealthy',
    networkMode: spec?.hostNetwork === true ? 'host-network' : 'standard',
  } satisfies Partial<Workload>;
}

type Description = Pick<
  Workload,
  | 'name'
  | 'namespace'
  | 'workloadName'
  | 'canonicalName'
  | 'canonicalRevision'
  | 'protocol'
  | 'nativeTunnel'
  | 'trustDomain'
  | 'clusterId'
  | 'workloadType'
  | 'authorizationPolicies'
>;

/** What the name, the labels and the annotations of an object say of its workload. */
export function describeWorkload(
  object: LabelledObject,
  workloadName: string,
  context: Pick<WorkloadContext, 'mesh' | 'policies'>,
): Description {
  const labels = labelsOf(object);
  return {
    ...tunnelOf(object),
    name: nameOf(object),
    namespace: namespaceOf(object),
    workloadName,
    canonicalName: canonicalName(labels) ?? workloadName,
    canonicalRevision: canonicalRevision(labels) ?? 'latest',
    trustDomain: context.mesh.trustDomain,
    clusterId: context.mesh.clusterId,
    // Whatever runs it (recordings wds/03, 18, 21).
    workloadType: 'pod',
    authorizationPolicies: listedPolicies(labels, context),
  };
}

/** Only the annotation makes a captured workload HBONE, and only its exact value. */
function tunnelOf(object: LabelledObject): Pick<Workload, 'protocol' | 'nativeTunnel'> {
  const nativeTunnel = (labelsOf(object)[TUNNEL_LABEL] ?? '').split(',').includes('http');
  const isCaptured = annotationsOf(object)[REDIRECTION_ANNOTATION] === 'enabled';
  return { protocol: isCaptured || nativeTunnel ? 'hbone' : 'tcp', nativeTunnel };
}

/** `<cluster>//Pod/<namespace>/<name>`: the resource name of a pod's Workload. */
export function podUid(mesh: Pick<MeshSettings, 'clusterId'>, pod: LabelledObject): string {
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

function waypointOfWorkload(pod: Pod, { namespace, waypoints }: PodContext): Waypoint | null {
  const binding = bindWaypoint(pod, namespace, 'workload', waypoints);
  return binding.kind === 'bound' ? binding.waypoint : null;
}

export function canonicalName(labels: Readonly<Record<string, string>>): string | undefined {
  return (
    labels['service.istio.io/canonical-name'] ?? labels['app.kubernetes.io/name'] ?? labels.app
  );
}

export function canonicalRevision(labels: Readonly<Record<string, string>>): string | undefined {
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
    services.map((service) => [
      namespacedHostname(service),
      service.kind === 'ServiceEntry'
        ? podPortsByName(service.ports, pod)
        : podPorts(service.ports, pod),
    ]),
  );
}

function listedPolicies(
  labels: Readonly<Record<string, string>>,
  { policies, mesh }: Pick<WorkloadContext, 'mesh' | 'policies'>,
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
