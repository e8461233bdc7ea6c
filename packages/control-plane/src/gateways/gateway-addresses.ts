/** How far the Services of a Gateway reach its proxies, and the addresses that this gives it (spec control-plane 5.4). */
import { canonicalIpAddress, type ServicePort } from '@aquifer/model';
import type { Gateway, Service } from '@aquifer/model/resources';
import type { Context } from '../collections/cell.ts';
import { ADDRESS_TYPE_ANNOTATION, GATEWAY_CONTROLLER } from '../derive/labels.ts';
import { type MeshSettings, serviceHostname } from '../derive/mesh.ts';
import type { MeshCollections } from '../derive/mesh-collections.ts';
import { clusterAddresses } from '../derive/mesh-service.ts';
import { annotationsOf, namespaceOf } from '../derive/object.ts';
import { type ClusterInputs, objectKey } from '../ingest/cluster-inputs.ts';
import type { ConditionText } from '../status/condition-list.ts';

/** What the status of a Gateway depends on besides the Gateway. */
export interface AddressInputs {
  readonly cluster: ClusterInputs;
  readonly mesh: Pick<MeshCollections, 'workloadsByService'>;
  readonly settings: Pick<MeshSettings, 'clusterDomain'>;
}

export interface Assignment {
  /** `host:port` of every listener that leads to a pod, sorted as text. */
  readonly assigned: readonly string[];
  readonly addresses: readonly string[];
  readonly problems: readonly string[];
  /** Whether the problems may pass by themselves. */
  readonly usable: boolean;
}

/** Of the ports that the Gateway listens for, at its Services by hostname. */
export function assign(
  { gateway, controller, services, ports }: Assigned,
  inputs: AddressInputs,
  context: Context,
): Assignment {
  const wanted = addressTypes(gateway, controller);
  const parts = services.map((hostname) => {
    const of = { namespace: namespaceOf(gateway), hostname, ports, wanted };
    return assignedBy(of, inputs, context);
  });
  const unique = (items: readonly string[]): string[] => [...new Set(items)];
  return {
    assigned: unique(parts.flatMap(({ assigned }) => assigned)).toSorted(),
    addresses: unique(parts.flatMap(({ addresses }) => addresses)),
    problems: parts.flatMap(({ problems }) => problems).toSorted(),
    usable: parts.every(({ usable }) => usable),
  };
}

interface Assigned {
  readonly gateway: Gateway;
  readonly controller: string;
  /** Hostnames. */
  readonly services: readonly string[];
  readonly ports: readonly number[];
}

type AddressType = 'Hostname' | 'IPAddress';

/** That are told where there is no load balancer: a gateway is known by its name, a waypoint by both. */
function addressTypes(gateway: Gateway, controller: string): readonly AddressType[] {
  const asked = annotationsOf(gateway)[ADDRESS_TYPE_ANNOTATION];
  if (asked === 'Hostname' || asked === 'IPAddress') return [asked];
  return controller === GATEWAY_CONTROLLER ? ['Hostname'] : ['IPAddress', 'Hostname'];
}

interface AskedService {
  readonly namespace: string;
  readonly hostname: string;
  readonly ports: readonly number[];
  readonly wanted: readonly AddressType[];
}

function assignedBy(
  { namespace, hostname, ports, wanted }: AskedService,
  { cluster, mesh, settings }: AddressInputs,
  context: Context,
): Assignment {
  const suffix = serviceHostname(settings, namespace, '');
  const service = hostname.endsWith(suffix)
    ? context.get(cluster.of('Service'), objectKey(namespace, hostname.slice(0, -suffix.length)))
    : undefined;
  if (service === undefined) return unassigned([`hostname "${hostname}" not found`], false);
  // A pod that is not ready will do: the binding must not wait for it.
  const key = `${namespace}/${hostname}`;
  const instances = context.lookup(mesh.workloadsByService, key);
  if (instances.length === 0) {
    return unassigned(
      ports.map(() => `no instances found for hostname "${hostname}"`),
      true,
    );
  }
  const served = ports.filter((port) => service.spec?.ports?.some((own) => own.port === port));
  const missing = ports.filter((port) => !served.includes(port));
  const behind = instances.flatMap(({ value }) => value.services.get(key) ?? []);
  const problems = missing.map(
    (port) => `port ${port} not found for hostname "${hostname}"${hintFor(port, behind)}`,
  );
  const external = externalAddresses(service);
  const isPending = service.spec?.type === 'LoadBalancer' && external.length === 0;
  if (isPending && served.length > 0) problems.push(`address pending for hostname "${hostname}"`);
  const internal = {
    IPAddress: ownAddresses(service),
    Hostname: isPending ? [] : [hostname],
  };
  const own = external.length > 0 ? external : wanted.flatMap((type) => internal[type]);
  return {
    assigned: served.map((port) => `${hostname}:${port}`).toSorted(),
    addresses: served.length === 0 ? [] : own,
    problems: problems.toSorted(),
    usable: missing.length === 0,
  };
}

/** Empty unless the port is one of the workloads. */
function hintFor(port: number, behind: readonly ServicePort[]): string {
  const meant = behind.filter(({ targetPort }) => targetPort === port);
  const ports = [...new Set(meant.map(({ servicePort }) => servicePort))];
  if (ports.length === 0) return '';
  return ` (hint: the service port should be specified, not the workload port. Did you mean one of these ports: [${ports.join(' ')}]?)`;
}

function unassigned(problems: readonly string[], usable: boolean): Assignment {
  return { assigned: [], addresses: [], problems, usable };
}

export function programmed({ assigned, problems, usable }: Assignment): ConditionText {
  const type = 'Programmed';
  const services = `service(s) ${readableList(assigned)}`;
  if (problems.length === 0) {
    const message = `Resource programmed, assigned to ${services}`;
    return { type, status: 'True', reason: 'Programmed', message };
  }
  const start =
    assigned.length > 0
      ? `Assigned to ${services}, but failed to assign to all requested addresses`
      : 'Failed to assign to any requested addresses';
  const reason = usable ? 'AddressNotAssigned' : 'AddressNotUsable';
  return { type, status: 'False', reason, message: `${start}: ${problems.join('; ')}` };
}

/** `a`, `a and b`, `a, b, and c`. */
function readableList(items: readonly string[]): string {
  if (items.length < 3) return items.join(' and ');
  return `${items.slice(0, -1).join(', ')}, and ${items.at(-1)}`;
}

/** Sorted as text; as recorded, a headless Service gives 0.0.0.0. */
function ownAddresses(service: Service): string[] {
  const addresses = clusterAddresses(service);
  return addresses.length === 0 ? ['0.0.0.0'] : addresses.toSorted();
}

/** What a load balancer or `externalIPs` give; they stand for the Service wherever there are any. */
function externalAddresses(service: Service): string[] {
  const ingress =
    service.spec?.type === 'LoadBalancer' ? (service.status?.loadBalancer?.ingress ?? []) : [];
  const given = ingress.map(({ ip, hostname }) => ip || hostname || '');
  const all = [...given, ...(service.spec?.externalIPs ?? [])];
  return [...new Set(all.filter((address) => address !== ''))].toSorted();
}

export function withType(value: string): { readonly type: string; readonly value: string } {
  return { type: canonicalIpAddress(value) === null ? 'Hostname' : 'IPAddress', value };
}
