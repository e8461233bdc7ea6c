/**
 * The services of the mesh, whatever they are made of: what stands between the Kubernetes API and everything that is
 * served. A MeshService holds what matters to the mesh and nothing else, so that a write that changes none of it, such
 * as of a status, ends here.
 */
import { canonicalIpAddress, type ServiceAddress } from '@aquifer/model';
import type { ObjectMeta, Service } from '@aquifer/model/resources';
import { MANAGED_LABEL } from '../ingest/kinds.ts';
import { isEmptyMap } from './label-maps.ts';
import {
  CANARY_WEIGHT_ANNOTATION,
  CONNECT_STRATEGY_ANNOTATION,
  EXPORT_TO_ANNOTATION,
  INGRESS_USE_WAYPOINT_LABEL,
  TRAFFIC_DISTRIBUTION_ANNOTATION,
  USE_WAYPOINT_CANARY_LABEL,
  USE_WAYPOINT_CANARY_NAMESPACE_LABEL,
  USE_WAYPOINT_LABEL,
  USE_WAYPOINT_NAMESPACE_LABEL,
} from './labels.ts';
import { type Installation, serviceHostname } from './mesh.ts';
import { annotationsOf, type LabelledObject, labelsOf, nameOf, namespaceOf } from './object.ts';
import { type MeshPort, portsOfService } from './ports.ts';

/**
 * Where connections to a service go: to one of the workloads behind it; to the workload that the client has looked up
 * itself (`headless`); to where they were going anyway (`none`); to what DNS says of its name or of its endpoints: to any
 * of the answers (`dns`), to the first one (`dns-round-robin`), or, of a wildcard, of the name that a request is for
 * (`dynamic-dns`); to another name, which node proxies are not told (`alias`).
 */
export type Resolution =
  | 'workloads'
  | 'headless'
  | 'none'
  | 'dns'
  | 'dns-round-robin'
  | 'dynamic-dns'
  | 'alias';

/** In canonical text; `prefixLength` is null for a single address. */
export type VirtualAddress = Pick<ServiceAddress, 'address' | 'prefixLength'>;

export interface MeshService {
  /** Of the object that it is made of. */
  readonly kind: 'Service' | 'ServiceEntry';
  /** Only the labels and annotations that mean something to the mesh. */
  readonly metadata: Pick<
    ObjectMeta,
    'namespace' | 'name' | 'labels' | 'annotations' | 'creationTimestamp'
  >;
  readonly clusterId: string;
  readonly hostname: string;
  readonly addresses: readonly VirtualAddress[];
  readonly ports: readonly MeshPort[];
  readonly resolution: Resolution;
  /** Whether its workloads are outside of the mesh. */
  readonly location: 'internal' | 'external';
  /** Labels of the workloads behind it; null if nothing is selected. */
  readonly selector: Readonly<Record<string, string>> | null;
  /** Identities that its workloads may have besides those that the mesh knows of. */
  readonly subjectAltNames: readonly string[];
  /** Who may look it up: everybody, or only its own namespace. */
  readonly visibility: 'public' | 'namespace';
  /** Namespaces whose sidecars and gateways see it; `*` is all of them. */
  readonly exportTo: readonly string[];
  /** As the object has it; empty to do as the namespace says. */
  readonly trafficDistribution: string;
  /** Whether clients use only endpoints of their own node. */
  readonly isNodeLocal: boolean;
  /** Whether workloads that are not ready are used like others. */
  readonly includesNotReady: boolean;
  readonly ipFamilies: 'automatic' | 'ipv4-only' | 'ipv6-only' | 'dual';
}

/** `<cluster id>/<namespace>/<hostname>`: the key of a MeshService. */
export function meshServiceKey(
  { clusterId }: Pick<Installation, 'clusterId'>,
  namespace: string,
  hostname: string,
): string {
  return `${clusterId}/${namespace}/${hostname}`;
}

/** Whether clients address the pods behind the service themselves. */
export function isHeadless({ resolution }: Pick<MeshService, 'resolution'>): boolean {
  return resolution === 'headless';
}

/** Whether connections go to whichever address of its name answers first: only a waypoint does that. */
export function racesAddresses(service: MeshService): boolean {
  const strategy = annotationsOf(service)[CONNECT_STRATEGY_ANNOTATION];
  return service.kind === 'ServiceEntry' && strategy === 'RACE_FIRST_TCP_CONNECT';
}

/** `<namespace>/<hostname>`: what node proxies know a service by. */
export function namespacedHostname(service: MeshService): string {
  return `${namespaceOf(service)}/${service.hostname}`;
}

export function meshServiceOf(
  service: Service,
  mesh: Pick<Installation, 'clusterId' | 'clusterDomain'>,
): MeshService {
  const { type, selector, clusterIP, publishNotReadyAddresses, internalTrafficPolicy } =
    service.spec ?? {};
  const isAlias = type === 'ExternalName';
  return {
    kind: 'Service',
    metadata: meaningOf(service),
    clusterId: mesh.clusterId,
    hostname: serviceHostname(mesh, namespaceOf(service), nameOf(service)),
    addresses: clusterAddresses(service).map((address) => ({ address, prefixLength: null })),
    ports: portsOfService(service),
    resolution: isAlias ? 'alias' : clusterIP === 'None' ? 'headless' : 'workloads',
    location: isAlias ? 'external' : 'internal',
    selector: isAlias || selector === undefined || isEmptyMap(selector) ? null : selector,
    subjectAltNames: [],
    visibility: 'public',
    exportTo: exportsOf(service),
    // An empty annotation does not hide the namespace's; an unknown word does.
    trafficDistribution:
      service.spec?.trafficDistribution ||
      annotationsOf(service)[TRAFFIC_DISTRIBUTION_ANNOTATION] ||
      '',
    isNodeLocal: internalTrafficPolicy === 'Local',
    includesNotReady: publishNotReadyAddresses === true,
    ipFamilies: ipFamilies(service),
  };
}

function exportsOf(service: Service): readonly string[] {
  const words = annotationsOf(service)[EXPORT_TO_ANNOTATION] ?? '';
  return namespacesOf(words.split(','), namespaceOf(service));
}

/** What a list of `exportTo` means: `.` is the own namespace, `~` none; an empty list is all. */
export function namespacesOf(exportTo: readonly string[], own: string): readonly string[] {
  const names = exportTo.map((name) => name.trim()).filter((name) => name !== '');
  if (names.length === 0 || names.includes('*')) return EVERYWHERE;
  const namespaces = names
    .filter((name) => name !== '~')
    .map((name) => (name === '.' ? own : name));
  return [...new Set(namespaces)].toSorted();
}

const EVERYWHERE: readonly string[] = ['*'];

/** The cluster addresses of a Service; none for a headless one. */
export function clusterAddresses(service: Service): string[] {
  const { clusterIP, clusterIPs } = service.spec ?? {};
  const texts = clusterIPs !== undefined && clusterIPs.length > 0 ? clusterIPs : [clusterIP ?? ''];
  return texts.map(canonicalIpAddress).filter((address) => address !== null);
}

const LABELS: readonly string[] = [
  USE_WAYPOINT_LABEL,
  USE_WAYPOINT_NAMESPACE_LABEL,
  USE_WAYPOINT_CANARY_LABEL,
  USE_WAYPOINT_CANARY_NAMESPACE_LABEL,
  INGRESS_USE_WAYPOINT_LABEL,
  MANAGED_LABEL,
];
const ANNOTATIONS: readonly string[] = [CANARY_WEIGHT_ANNOTATION, CONNECT_STRATEGY_ANNOTATION];

/** The part of an object's metadata that a MeshService has. */
export function meaningOf(object: LabelledObject): MeshService['metadata'] {
  const { creationTimestamp } = object.metadata;
  return {
    ...(creationTimestamp !== undefined && { creationTimestamp }),
    namespace: namespaceOf(object),
    name: nameOf(object),
    labels: chosen(labelsOf(object), LABELS),
    annotations: chosen(annotationsOf(object), ANNOTATIONS),
  };
}

function chosen(
  all: Readonly<Record<string, string>>,
  keys: readonly string[],
): Record<string, string> {
  return Object.fromEntries(Object.entries(all).filter(([key]) => keys.includes(key)));
}

function ipFamilies(service: Service): MeshService['ipFamilies'] {
  const families = service.spec?.ipFamilies ?? [];
  if (families.length > 1) return 'dual';
  if (families[0] === 'IPv4') return 'ipv4-only';
  return families[0] === 'IPv6' ? 'ipv6-only' : 'automatic';
}
