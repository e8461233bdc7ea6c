/** The status of a waypoint's Gateway (spec control-plane 5.4). */
import { canonicalIpAddress } from '@aquifer/model';
import type { Gateway, Service } from '@aquifer/model/resources';
import type { Context } from '../collections/cell.ts';
import { type MeshSettings, serviceHostname } from '../derive/mesh.ts';
import type { MeshCollections } from '../derive/mesh-collections.ts';
import { clusterAddresses } from '../derive/mesh-service.ts';
import { annotationsOf, nameOf, namespaceOf } from '../derive/object.ts';
import { type ClusterInputs, objectKey } from '../ingest/cluster-inputs.ts';
import type { Manifest } from '../reconcile/wish.ts';
import type { ConditionText } from '../status/condition-list.ts';

export interface DerivedGatewayStatus {
  /** Empty as long as nothing was ever assigned. */
  readonly addresses: readonly { readonly type: string; readonly value: string }[];
  readonly conditions: readonly ConditionText[];
  readonly listeners: readonly ListenerStatus[];
}

interface ListenerStatus {
  readonly name: string;
  readonly attachedRoutes: number;
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
  readonly conditions: readonly ConditionText[];
}

type Listener = Gateway['spec']['listeners'][number];

const NAME_OVERRIDE_ANNOTATION = 'gateway.istio.io/name-override';
const HBONE_PORT = 15008;

/** Name of the Deployment and Service that a waypoint's Gateway becomes. */
export function generatedName(gateway: Gateway): string {
  return annotationsOf(gateway)[NAME_OVERRIDE_ANNOTATION] || nameOf(gateway);
}

/** Whether `spec.addresses` names a Service that somebody else runs, so that nothing is deployed for the Gateway. */
export function isManual(gateway: Gateway): boolean {
  const [first, ...rest] = gateway.spec.addresses ?? [];
  return first !== undefined && (rest.length > 0 || (first.type ?? 'IPAddress') !== 'IPAddress');
}

/** What a Gateway's status depends on besides the Gateway. */
export interface GatewayStatusInputs {
  readonly cluster: ClusterInputs;
  readonly mesh: Pick<MeshCollections, 'workloadsByService'>;
  readonly settings: Pick<MeshSettings, 'clusterDomain'>;
}

export function deriveGatewayStatus(
  gateway: Gateway,
  inputs: GatewayStatusInputs,
  context: Context,
): DerivedGatewayStatus {
  const assignment = assign(gateway, inputs, context);
  const listeners = gateway.spec.listeners.map(listenerStatus);
  // Bindings stay put when a waypoint's pods come and go: addresses, once set, are not taken away.
  const addresses =
    assignment.addresses.length > 0
      ? assignment.addresses.map(withType)
      : (gateway.status?.addresses ?? []);
  return {
    addresses: addresses.map(({ type = 'IPAddress', value = '' }) => ({ type, value })),
    conditions: [
      condition('Accepted', 'True', 'Accepted', 'Resource accepted'),
      programmed(assignment),
      condition('ResolvedRefs', 'True', 'ResolvedRefs', 'All references resolved'),
    ],
    listeners,
  };
}

/** The status of a Gateway, which is not programmed while something is in its way. */
export function withForeign(
  gateway: Gateway,
  status: DerivedGatewayStatus,
  inTheWay: readonly Manifest[],
): DerivedGatewayStatus {
  if (inTheWay.length === 0) return status;
  const objects = inTheWay.map(({ kind, metadata }) => `${kind} "${metadata.name}"`).toSorted();
  const message = `${objects.join(' and ')} in namespace "${namespaceOf(gateway)}" is not managed by this Gateway and is left alone: rename or delete it, or rename the Gateway`;
  return withCondition(status, condition('Programmed', 'False', 'NameConflict', message));
}

/** The status of a Gateway whose objects cannot be written. */
export function withRefused(status: DerivedGatewayStatus, problem: string): DerivedGatewayStatus {
  return withCondition(status, condition('Programmed', 'False', 'Invalid', problem));
}

/** The status of a Gateway that is not accepted, because of what lies over its objects; what runs goes on. */
export function withUnusable(status: DerivedGatewayStatus, problem: string): DerivedGatewayStatus {
  const message = `${problem}; nothing is deployed until that is right, and what runs stays`;
  return withCondition(status, condition('Accepted', 'False', 'InvalidParameters', message));
}

function withCondition(status: DerivedGatewayStatus, own: ConditionText): DerivedGatewayStatus {
  const conditions = status.conditions.map((each) => (each.type === own.type ? own : each));
  return { ...status, conditions };
}

/** How far the waypoint's Service reaches its pods. */
interface Assignment {
  /** `host:port` of every listener that leads to a pod, sorted as text. */
  readonly assigned: readonly string[];
  readonly addresses: readonly string[];
  readonly problems: readonly string[];
  /** Whether the problems may pass by themselves. */
  readonly usable: boolean;
}

function assign(
  gateway: Gateway,
  { cluster, mesh, settings }: GatewayStatusInputs,
  context: Context,
): Assignment {
  const namespace = namespaceOf(gateway);
  const hostname = hostnameOf(gateway, settings);
  const suffix = serviceHostname(settings, namespace, '');
  const service = hostname.endsWith(suffix)
    ? context.get(cluster.of('Service'), objectKey(namespace, hostname.slice(0, -suffix.length)))
    : undefined;
  const ports = [...new Set(gateway.spec.listeners.map(({ port }) => port))];
  if (service === undefined) return unassigned([`hostname "${hostname}" not found`], false);
  // A pod that is not ready will do: the binding must not wait for it.
  const instances = context.lookup(mesh.workloadsByService, `${namespace}/${hostname}`);
  if (instances.length === 0) {
    return unassigned(
      ports.map(() => `no instances found for hostname "${hostname}"`),
      true,
    );
  }
  const served = ports.filter((port) => service.spec?.ports?.some((own) => own.port === port));
  const missing = ports.filter((port) => !served.includes(port));
  const problems = missing.map((port) => `port ${port} not found for hostname "${hostname}"`);
  const external = externalAddresses(service);
  const isPending = service.spec?.type === 'LoadBalancer' && external.length === 0;
  if (isPending && served.length > 0) problems.push(`address pending for hostname "${hostname}"`);
  const internal = [...ownAddresses(service), ...(isPending ? [] : [hostname])];
  return {
    assigned: served.map((port) => `${hostname}:${port}`).toSorted(),
    addresses: served.length === 0 ? [] : external.length > 0 ? external : internal,
    problems: problems.toSorted(),
    usable: missing.length === 0,
  };
}

/** Of the Service that serves the Gateway; a short name in `spec.addresses` is one of its own namespace. */
function hostnameOf(gateway: Gateway, mesh: GatewayStatusInputs['settings']): string {
  const manual = (gateway.spec.addresses ?? []).find(({ type }) => type === 'Hostname')?.value;
  if (!isManual(gateway) || manual === undefined) {
    return serviceHostname(mesh, namespaceOf(gateway), generatedName(gateway));
  }
  return manual.includes('.') ? manual : serviceHostname(mesh, namespaceOf(gateway), manual);
}

function unassigned(problems: readonly string[], usable: boolean): Assignment {
  return { assigned: [], addresses: [], problems, usable };
}

function programmed({ assigned, problems, usable }: Assignment): ConditionText {
  const services = `service(s) ${readableList(assigned)}`;
  if (problems.length === 0) {
    const message = `Resource programmed, assigned to ${services}`;
    return condition('Programmed', 'True', 'Programmed', message);
  }
  const start =
    assigned.length > 0
      ? `Assigned to ${services}, but failed to assign to all requested addresses`
      : 'Failed to assign to any requested addresses';
  const reason = usable ? 'AddressNotAssigned' : 'AddressNotUsable';
  return condition('Programmed', 'False', reason, `${start}: ${problems.join('; ')}`);
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

function withType(value: string): { readonly type: string; readonly value: string } {
  return { type: canonicalIpAddress(value) === null ? 'Hostname' : 'IPAddress', value };
}

const ROUTE_GROUP = 'gateway.networking.k8s.io';
const NO_ERRORS = 'No errors found';

function listenerStatus(listener: Listener): ListenerStatus {
  const isHbone = listener.protocol === 'HBONE' && listener.port === HBONE_PORT;
  const accepted = isHbone
    ? condition('Accepted', 'True', 'Accepted', NO_ERRORS)
    : condition(
        'Accepted',
        'False',
        'UnsupportedProtocol',
        'Expected a single listener on port 15008 with protocol "HBONE"',
      );
  const allowed = allowedKinds(listener);
  const kinds = supportedKinds(listener.protocol).filter(
    ({ group, kind }) => allowed?.includes(`${group}/${kind}`) ?? true,
  );
  return {
    name: listener.name,
    attachedRoutes: 0,
    supportedKinds: kinds,
    conditions: [
      accepted,
      condition('Conflicted', 'False', 'NoConflicts', NO_ERRORS),
      condition('Programmed', 'True', 'Programmed', NO_ERRORS),
      allowed === undefined || allowed.length === kinds.length
        ? condition('ResolvedRefs', 'True', 'ResolvedRefs', NO_ERRORS)
        : condition('ResolvedRefs', 'False', 'InvalidRouteKinds', 'Invalid route kinds'),
    ],
  };
}

/** The kinds that the listener asks for, as far as its protocol has them. */
function allowedKinds({ allowedRoutes }: Listener): readonly string[] | undefined {
  const kinds = allowedRoutes?.kinds ?? [];
  if (kinds.length === 0) return undefined;
  return kinds.map(({ group = ROUTE_GROUP, kind }) => `${group}/${kind}`);
}

function supportedKinds(protocol: string): ListenerStatus['supportedKinds'] {
  const kinds: Readonly<Record<string, readonly string[]>> = {
    HTTP: ['HTTPRoute', 'GRPCRoute'],
    HTTPS: ['HTTPRoute', 'GRPCRoute'],
    TLS: ['TLSRoute'],
    TCP: ['TCPRoute'],
  };
  return (kinds[protocol] ?? []).map((kind) => ({ group: ROUTE_GROUP, kind }));
}

function condition(
  type: string,
  status: ConditionText['status'],
  reason: string,
  message: string,
): ConditionText {
  return { type, status, reason, message };
}
