/** EndpointSlice endpoints that are no pods, as Workloads (spec control-plane 2.4). */
import type { ServicePort, Workload } from '@aquifer/model';
import { canonicalIpAddress } from '@aquifer/model';
import type { EndpointSlice, Service } from '@aquifer/model/resources';
import { type MeshSettings, serviceHostname } from './mesh.ts';
import { labelsOf, nameOf, namespaceOf } from './object.ts';

export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

type Endpoint = NonNullable<EndpointSlice['endpoints']>[number];

/** One Workload for each endpoint without a Pod; `service` is the one that the slice is labelled with. */
export function deriveEndpointWorkloads(
  slice: EndpointSlice,
  service: Service | undefined,
  mesh: MeshSettings,
  network: string,
): Workload[] {
  if (service === undefined || slice.addressType === 'FQDN') return [];
  const services = new Map([[serviceKey(service, mesh), endpointPorts(slice, service)]]);
  const workloads = new Map<string, Workload>();
  for (const endpoint of slice.endpoints ?? []) {
    if (endpoint.targetRef?.kind === 'Pod') continue;
    const addresses = endpoint.addresses.map(canonicalIpAddress).filter((text) => text !== null);
    const uid = `${mesh.clusterId}/discovery.k8s.io/EndpointSlice/${namespaceOf(slice)}/${nameOf(slice)}/${addresses[0]}`;
    if (addresses.length === 0 || workloads.has(uid)) continue;
    workloads.set(uid, {
      uid,
      name: nameOf(slice),
      namespace: namespaceOf(slice),
      addresses,
      hostname: '',
      network,
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

/** Selector-less Services by the uid of each pod that their slices name as `targetRef`. */
export function servicesByPodUid(
  slices: readonly EndpointSlice[],
  services: readonly Service[],
): ReadonlyMap<string, readonly Service[]> {
  const byName = new Map(services.map((service) => [nameOf(service), service]));
  const found = new Map<string, Set<Service>>();
  for (const slice of slices) {
    const service = byName.get(labelsOf(slice)[SERVICE_NAME_LABEL] ?? '');
    if (service === undefined || hasPodSelector(service)) continue;
    for (const uid of podUids(slice)) found.set(uid, (found.get(uid) ?? new Set()).add(service));
  }
  return new Map([...found].map(([uid, set]) => [uid, [...set]]));
}

/** Pods of the slice's own namespace that it names with their uid. */
function podUids(slice: EndpointSlice): string[] {
  const namespace = namespaceOf(slice);
  return (slice.endpoints ?? [])
    .map(({ targetRef }) => targetRef)
    .filter((target) => target?.kind === 'Pod' && (target.namespace ?? namespace) === namespace)
    .map((target) => target?.uid ?? '')
    .filter((uid) => uid !== '');
}

/** Whether Kubernetes keeps the Service's endpoints from pod labels. */
export function hasPodSelector(service: Service): boolean {
  return Object.keys(service.spec?.selector ?? {}).length > 0;
}

function serviceKey(service: Service, mesh: MeshSettings): string {
  const namespace = namespaceOf(service);
  return `${namespace}/${serviceHostname(mesh, namespace, nameOf(service))}`;
}

/** TCP ports, joined to the Service's by name. */
function endpointPorts(slice: EndpointSlice, service: Service): ServicePort[] {
  const usable = (slice.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP');
  return usable.flatMap(({ name = '', port }) =>
    (service.spec?.ports ?? [])
      .filter((candidate) => typeof port === 'number' && (candidate.name ?? '') === name)
      .map((candidate) => ({
        servicePort: candidate.port,
        targetPort: port ?? 0,
        appProtocol: 'unknown',
      })),
  );
}

function isReady(endpoint: Endpoint): boolean {
  return endpoint.conditions?.ready !== false;
}
