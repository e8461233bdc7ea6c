/** WorkloadEntries, and the endpoints and hosts of ServiceEntries, as Workloads (spec control-plane 2.4). */
import { canonicalIpAddress, type Locality, type Workload } from '@aquifer/model';
import type { ServiceEntry, WorkloadEntry } from '@aquifer/model/resources';
import { GATEWAY_NAME_LABEL, REGISTRATION_GROUP_ANNOTATION } from './labels.ts';
import { type MeshService, namespacedHostname } from './mesh-service.ts';
import { annotationsOf, type LabelledObject, labelsOf, nameOf, namespaceOf } from './object.ts';
import { listedPorts } from './ports.ts';
import { tlsModeOf, type WorkloadTraits } from './resource.ts';
import {
  type BoundCondition,
  bindWaypoint,
  boundCondition,
  type Waypoint,
  waypointOfInstance,
} from './waypoints.ts';
import { WORKLOAD_NAME_LABEL } from './workload-name.ts';
import { type DerivedWorkload, describeWorkload, type WorkloadContext } from './workloads.ts';

type Endpoint = NonNullable<WorkloadEntry['spec']>;

const API_GROUP = 'networking.istio.io';

/** `condition` is null where no waypoint was asked for. */
export type DerivedWorkloadEntry = DerivedEndpoint & { readonly condition: BoundCondition | null };

type DerivedEndpoint = DerivedWorkload & { readonly traits: WorkloadTraits };

/** Labels of its metadata win over those of its spec. */
export function labelsOfEntry(entry: WorkloadEntry): Readonly<Record<string, string>> {
  return { ...entry.spec?.labels, ...labelsOf(entry) };
}

export function deriveWorkloadEntry(
  entry: WorkloadEntry,
  context: WorkloadContext,
): DerivedWorkloadEntry {
  const object = { ...entry, metadata: { ...entry.metadata, labels: labelsOfEntry(entry) } };
  const { namespace, waypoints, mesh } = context;
  const instanceOf = waypointOfInstance(object, GATEWAY_NAME_LABEL, waypoints);
  const binding =
    instanceOf === undefined
      ? bindWaypoint(object, namespace, 'workload', waypoints)
      : ({ kind: 'none' } as const);
  const waypoint = binding.kind === 'bound' ? binding.waypoint : null;
  const workloadName =
    annotationsOf(entry)[REGISTRATION_GROUP_ANNOTATION] ??
    labelsOf(object)[WORKLOAD_NAME_LABEL] ??
    nameOf(entry);
  const uid = `${mesh.clusterId}/${API_GROUP}/WorkloadEntry/${namespaceOf(entry)}/${nameOf(entry)}`;
  const workload = {
    ...describeWorkload(object, workloadName, context),
    ...placed(entry.spec ?? {}, waypoint, context),
    uid,
    applicationTunnel: instanceOf?.inboundBinding ?? null,
  };
  const traits = { ...traitsOf(labelsOf(object), entry.spec ?? {}), name: null };
  return { workload, waypoint, traits, condition: boundCondition(binding) };
}

/**
 * Endpoints of an entry; where it has none and its hosts are looked up by DNS, each host is one. `context.services` are
 * those that the entry is. As recorded (wds/18), an endpoint that names no network is in that of the one before it.
 */
export function deriveEndpointsOfEntry(
  entry: ServiceEntry,
  context: WorkloadContext,
): DerivedEndpoint[] {
  const { services } = context;
  const { endpoints = [], workloadSelector } = entry.spec ?? {};
  if (services.length === 0) return [];
  if (endpoints.length === 0 && workloadSelector === undefined) {
    return services
      .filter(({ resolution }) => resolution.includes('dns'))
      .map((service) => {
        const endpoint = { address: service.hostname };
        return endpointOf(entry, endpoint, nameOf(entry), withServices([service]));
      });
  }
  let network = '';
  return endpoints.map((endpoint, index) => {
    network = endpoint.network || network;
    return endpointOf(entry, { ...endpoint, network }, `${nameOf(entry)}-${index}`, context);
  });

  function withServices(own: readonly MeshService[]): WorkloadContext {
    return { ...context, services: own };
  }
}

/** Named after the entry, whose labels describe it; its own labels only say which waypoint it has. */
function endpointOf(
  entry: ServiceEntry,
  endpoint: Endpoint,
  name: string,
  context: WorkloadContext,
): DerivedEndpoint {
  const { mesh, namespace, waypoints } = context;
  const { address = '', labels = {} } = endpoint;
  const object: LabelledObject = { metadata: { namespace: namespaceOf(entry), labels } };
  const binding = bindWaypoint(object, namespace, 'workload', waypoints);
  const waypoint = binding.kind === 'bound' ? binding.waypoint : null;
  const owner = `${mesh.clusterId}/${API_GROUP}/ServiceEntry/${namespaceOf(entry)}/${nameOf(entry)}`;
  const workload = {
    ...describeWorkload(entry, nameOf(entry), context),
    ...placed(endpoint, waypoint, context),
    uid: `${owner}/${address}`,
    applicationTunnel: null,
  };
  const said = entry.spec?.location === 'MESH_INTERNAL' ? traitsOf(labels, endpoint) : EXTERNAL;
  return { workload, waypoint, traits: { ...said, labels, name } };
}

/** Whoever is given an identity has a sidecar, unless a label says otherwise. */
function traitsOf(
  labels: WorkloadTraits['labels'],
  { serviceAccount }: Endpoint,
): Omit<WorkloadTraits, 'name'> {
  return { labels, tlsMode: tlsModeOf(labels, serviceAccount ? 'istio' : 'disabled') };
}

/** Nobody outside of the mesh is spoken to in its mutual TLS. */
const EXTERNAL = { tlsMode: 'disabled' } as const;

/** Where it is and what it serves. Nobody says whether it is well. */
function placed(
  endpoint: Endpoint,
  waypoint: Waypoint | null,
  { mesh, services, gatewayOf }: WorkloadContext,
) {
  const { address = '', network, locality = '', weight, ports = {} } = endpoint;
  const ip = canonicalIpAddress(address);
  const where = network || mesh.network;
  return {
    addresses: ip === null ? [] : [ip],
    hostname: ip === null ? address : '',
    network: where,
    networkGateway: gatewayOf(where),
    node: '',
    serviceAccount: endpoint.serviceAccount ?? '',
    waypoint: waypoint?.address ?? null,
    services: new Map(
      services.map((service) => [namespacedHostname(service), listedPorts(service.ports, ports)]),
    ),
    status: 'healthy',
    locality: parseLocality(locality),
    networkMode: 'standard',
    capacity: weight || 1,
  } satisfies Partial<Workload>;
}

/** `region/zone/subzone`, of which the last ones may be left out. */
function parseLocality(text: string): Locality | null {
  const [region = '', zone = '', subzone = ''] = text.split('/');
  return text === '' ? null : { region, zone, subzone };
}
