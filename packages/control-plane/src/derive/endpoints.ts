/** EndpointSlice endpoints that are no pods, as Workloads (spec control-plane 2.4). */

import type { ServicePort, Workload } from '@aquifer/model';
import { canonicalIpAddress } from '@aquifer/model';
import { SERVICE_NAME_LABEL } from '@aquifer/model/kubernetes';
import type { EndpointSlice, ObjectMeta } from '@aquifer/model/resources';
import type { MeshSettings } from './mesh.ts';
import { type MeshService, namespacedHostname } from './mesh-service.ts';
import { labelsOf, nameOf, namespaceOf } from './object.ts';
import { lastOfEachNumber } from './ports.ts';

type Endpoint = NonNullable<EndpointSlice['endpoints']>[number];

/** Of the Service that a slice is labelled with. */
export function serviceNameOf(slice: EndpointSlice): string {
  return labelsOf(slice)[SERVICE_NAME_LABEL] ?? '';
}

/** One Workload for each endpoint without a Pod; `service` is the one that the slice is labelled with. */
export function deriveEndpointWorkloads(
  slice: EndpointSlice,
  service: MeshService | undefined,
  mesh: MeshSettings,
): Workload[] {
  if (service === undefined || !isServed(slice, service)) return [];
  const services = new Map([[namespacedHostname(service), endpointPorts(slice, service)]]);
  const workloads = new Map<string, Workload>();
  for (const endpoint of slice.endpoints ?? []) {
    if (endpoint.targetRef?.kind === 'Pod') continue;
    const addresses = endpoint.addresses.map(canonicalIpAddress).filter((text) => text !== null);
    const uid = `${mesh.clusterId}/discovery.k8s.io/EndpointSlice/${namespaceOf(slice)}/${nameOf(slice)}/${endpoint.addresses[0]}`;
    if (addresses.length === 0 || workloads.has(uid)) continue;
    workloads.set(uid, {
      uid,
      name: nameOf(slice),
      namespace: namespaceOf(slice),
      addresses,
      hostname: '',
      network: mesh.network,
      protocol: 'tcp',
      trustDomain: mesh.trustDomain,
      serviceAccount: '',
      waypoint: null,
      networkGateway: null,
      node: '',
      canonicalName: '',
      canonicalRevision: '',
      workloadType: 'deployment',
      workloadName: '',
      nativeTunnel: false,
      applicationTunnel: null,
      services,
      authorizationPolicies: [],
      status: isReady(endpoint) ? 'healthy' : 'unhealthy',
      clusterId: mesh.clusterId,
      locality: null,
      networkMode: 'host-network',
      capacity: 1,
    });
  }
  return [...workloads.values()];
}

/** Which pods somebody has put behind a Service that selects none itself. */
export interface ManualEndpoints {
  readonly service: MeshService;
  /** Each as `podTarget` names it. */
  readonly pods: readonly string[];
}

/** Null for slices that Kubernetes keeps: their pods are found by the Service's selector. */
export function manualEndpoints(
  slice: EndpointSlice,
  service: MeshService | undefined,
): ManualEndpoints | null {
  if (service === undefined || service.selector !== null || !isServed(slice, service)) return null;
  return { service, pods: podTargets(slice) };
}

/** A pod as a slice of its namespace refers to it: the uid tells it from an earlier pod of its name. */
export function podTarget({ namespace = '', name = '', uid = '' }: ObjectMeta): string {
  return `${namespace}/${name}/${uid}`;
}

/** Pods of the slice's own namespace; as upstream, a reference that leaves out the namespace names no pod. */
function podTargets(slice: EndpointSlice): string[] {
  return (slice.endpoints ?? [])
    .map(({ targetRef }) => targetRef)
    .filter((target) => target?.kind === 'Pod' && target.namespace === namespaceOf(slice))
    .map((target) => podTarget(target ?? {}));
}

/** FQDN slices and aliases lead to no address. */
function isServed(slice: EndpointSlice, service: MeshService): boolean {
  return slice.addressType !== 'FQDN' && service.resolution !== 'alias';
}

/** TCP ports, joined to the Service's by name. */
function endpointPorts(slice: EndpointSlice, service: MeshService): ServicePort[] {
  const usable = (slice.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP');
  const named = [...lastOfEachNumber(service.ports).values()];
  return usable.flatMap(({ name = '', port }) => {
    const target = named.find((candidate) => candidate.name === name);
    if (target === undefined || typeof port !== 'number') return [];
    return [{ servicePort: target.number, targetPort: port, appProtocol: 'unknown' }];
  });
}

function isReady(endpoint: Endpoint): boolean {
  return endpoint.conditions?.ready !== false;
}
