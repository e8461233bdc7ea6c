/**
 * Which Gateways are waypoints, and which waypoint an object is bound to (spec control-plane 2.7).
 * A failed binding never bypasses silently: it is a value with the reason that the object's status shows.
 */

import type { ApplicationTunnel, GatewayAddress } from '@aquifer/model';
import { canonicalIpAddress } from '@aquifer/model';
import { type LabelSelector, selects } from '@aquifer/model/kubernetes';
import type { Gateway, GatewayClass, Namespace } from '@aquifer/model/resources';
import type { ObjectRef } from '../ingest/kinds.ts';
import {
  INBOUND_BINDING_ANNOTATION,
  USE_WAYPOINT_LABEL,
  USE_WAYPOINT_NAMESPACE_LABEL,
  WAYPOINT_FOR_LABEL,
} from './labels.ts';
import {
  annotationsOf,
  type LabelledObject,
  labelsOf,
  nameOf,
  namespaceOf,
  refTo,
} from './object.ts';

export type TrafficType = 'service' | 'workload';

/** A Gateway that has addresses: what `istio.io/use-waypoint` can name. */
export interface Waypoint {
  readonly namespace: string;
  readonly name: string;
  /** Null when the Gateway's addresses are of another type than a hostname or an IP address: bound to, but not used. */
  readonly address: GatewayAddress | null;
  /** As labelled: `service`, `workload`, `all`, `none`; any other word supports nothing. */
  readonly trafficType: string;
  readonly inboundBinding: ApplicationTunnel | null;
  readonly allowedFrom: AllowedNamespaces;
  readonly source: ObjectRef;
}

type AllowedNamespaces =
  | { readonly kind: 'same' }
  | { readonly kind: 'all' }
  | { readonly kind: 'selector'; readonly selector: LabelSelector };

/** Why an object that asks for a waypoint has none; `reason` and `message` are those of the condition. */
interface BindingError {
  readonly reason:
    | 'WaypointIsNotReady'
    | 'AttachmentDenied'
    | 'UnsupportedTrafficType'
    | 'CrossNamespaceWaypointForbidden';
  readonly message: string;
}

export type Binding =
  | { readonly kind: 'none' }
  | { readonly kind: 'bound'; readonly waypoint: Waypoint }
  | { readonly kind: 'error'; readonly error: BindingError };

/** Condition `istio.io/WaypointBound`. */
export interface BoundCondition {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

/** Waypoints by `namespace/name`. */
export interface Waypoints {
  get(key: string): Waypoint | undefined;
}

const HBONE_PORT = 15008;
const NONE: Binding = { kind: 'none' };

/** A Gateway with addresses is one, whatever its class: only a reference gives it meaning. Null for others. */
export function deriveWaypoint(
  gateway: Gateway,
  gatewayClass: GatewayClass | undefined,
  network: string,
): Waypoint | null {
  if ((gateway.status?.addresses ?? []).length === 0) return null;
  const inboundBinding = parseInboundBinding(
    annotationsOf(gateway)[INBOUND_BINDING_ANNOTATION] ??
      annotationsOf(gatewayClass)[INBOUND_BINDING_ANNOTATION],
  );
  return {
    namespace: namespaceOf(gateway),
    name: nameOf(gateway),
    address: addressOf(gateway, network),
    trafficType:
      labelsOf(gateway)[WAYPOINT_FOR_LABEL] ??
      labelsOf(gatewayClass)[WAYPOINT_FOR_LABEL] ??
      'service',
    inboundBinding,
    allowedFrom: allowedFrom(gateway, inboundBinding),
    source: refTo(gateway),
  };
}

/** The waypoint of a Service or a workload, by its own label or else its namespace's. */
export function bindWaypoint(
  object: LabelledObject,
  namespace: Namespace | undefined,
  trafficType: TrafficType,
  waypoints: Waypoints,
): Binding {
  const own = waypointReference(object, namespaceOf(object));
  const reference = own ?? (namespace && waypointReference(namespace, namespaceOf(object)));
  if (reference === undefined || reference === 'none') return NONE;
  const level = own === undefined ? 'namespace' : 'object';
  const result = attach(
    reference,
    { namespace: namespaceOf(object), labels: labelsOf(namespace) },
    waypoints,
    trafficType,
  );
  if (
    result.kind === 'error' &&
    level === 'namespace' &&
    isServiceOnly(result, reference, waypoints, trafficType)
  )
    return NONE;
  return result;
}

/** Null where no waypoint was asked for; `suffix` says more of one that was found. */
export function boundCondition(binding: Binding, suffix = ''): BoundCondition | null {
  if (binding.kind === 'none') return null;
  if (binding.kind === 'error') return { status: 'False', ...binding.error };
  const { namespace, name } = binding.waypoint;
  const message = `Successfully attached to waypoint ${namespace}/${name}${suffix}`;
  return { status: 'True', reason: 'WaypointAccepted', message };
}

/** Equal for equal addresses: every derivation makes objects of its own. */
export function addressKey({ destination, hboneMtlsPort }: GatewayAddress): string {
  const where =
    destination.kind === 'hostname'
      ? [destination.namespace, destination.hostname]
      : [destination.network, destination.address];
  return [destination.kind, ...where, hboneMtlsPort].join('/');
}

/** The waypoint named by `namespace/name`, if an object of that namespace may attach to it. */
export function attach(
  reference: string,
  from: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  waypoints: Waypoints,
  trafficType: TrafficType,
): Binding {
  const waypoint = waypoints.get(reference);
  if (waypoint === undefined) {
    return refuse('WaypointIsNotReady', `waypoint "${reference}" is not ready`);
  }
  if (!allows(waypoint, from)) {
    return refuse(
      'AttachmentDenied',
      `we are not permitted to attach to waypoint "${reference}" (missing allowedRoutes?)`,
    );
  }
  if (waypoint.trafficType !== trafficType && waypoint.trafficType !== 'all') {
    return refuse(
      'UnsupportedTrafficType',
      `attempting to bind to traffic type "${trafficType}" which the waypoint "${reference}" does not support`,
    );
  }
  return { kind: 'bound', waypoint };
}

/** The waypoint that a pod is an instance of, by its gateway-name label; undefined for other pods. */
export function waypointOfInstance(
  object: LabelledObject,
  gatewayNameLabel: string,
  waypoints: Waypoints,
): Waypoint | undefined {
  const name = labelsOf(object)[gatewayNameLabel];
  return name === undefined ? undefined : waypoints.get(`${namespaceOf(object)}/${name}`);
}

/**
 * `namespace/name`, `none`, or undefined when the object has no label. A label that is there but empty is a reference
 * too, to a waypoint that cannot exist.
 */
function waypointReference(object: LabelledObject, fallbackNamespace: string): string | undefined {
  const labels = labelsOf(object);
  const name = labels[USE_WAYPOINT_LABEL];
  if (name === undefined || name === 'none') return name;
  return `${labels[USE_WAYPOINT_NAMESPACE_LABEL] ?? fallbackNamespace}/${name}`;
}

/** A namespace's service-only waypoint says nothing about its workloads. */
function isServiceOnly(
  result: Extract<Binding, { kind: 'error' }>,
  reference: string,
  waypoints: Waypoints,
  trafficType: TrafficType,
): boolean {
  return (
    trafficType === 'workload' &&
    result.error.reason === 'UnsupportedTrafficType' &&
    waypoints.get(reference)?.trafficType === 'service'
  );
}

function refuse(reason: BindingError['reason'], message: string): Binding {
  return { kind: 'error', error: { reason, message } };
}

function allows(
  waypoint: Waypoint,
  from: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
): boolean {
  switch (waypoint.allowedFrom.kind) {
    case 'all':
      return true;
    case 'selector':
      return selects(waypoint.allowedFrom.selector, from.labels);
    case 'same':
      return waypoint.namespace === from.namespace;
  }
}

/** The first hostname, else the first address. */
function addressOf(gateway: Gateway, network: string): GatewayAddress | null {
  const addresses = gateway.status?.addresses ?? [];
  const hostname = addresses.find((address) => address.type === 'Hostname')?.value;
  if (hostname !== undefined) {
    const namespace = namespaceOf(gateway);
    return { destination: { kind: 'hostname', namespace, hostname }, hboneMtlsPort: HBONE_PORT };
  }
  for (const { type = 'IPAddress', value = '' } of addresses) {
    const address = type === 'IPAddress' ? canonicalIpAddress(value) : null;
    if (address !== null) {
      return { destination: { kind: 'address', network, address }, hboneMtlsPort: HBONE_PORT };
    }
  }
  return null;
}

/** `PROTO[/port]` with PROTO `NONE` or `PROXY`; anything else is no binding, but what is no port counts as none. */
function parseInboundBinding(text: string | undefined): ApplicationTunnel | null {
  const [protocol = '', port = '', ...rest] = (text ?? '').split('/');
  if ((protocol !== 'NONE' && protocol !== 'PROXY') || rest.length > 0) return null;
  return {
    protocol: protocol === 'PROXY' ? 'proxy' : 'none',
    port: /^\d{1,9}$/.test(port) ? Number(port) : 0,
  };
}

/** metav1.LabelSelector: without a selector nothing is selected. */
const NOTHING: LabelSelector = {
  matchExpressions: [
    { key: 'kubernetes.io/metadata.name', operator: 'Exists' },
    { key: 'kubernetes.io/metadata.name', operator: 'DoesNotExist' },
  ],
};

/** Protocol of the listener of a waypoint that sits behind another proxy. */
const SANDWICH_PROTOCOL = 'istio.io/PROXY';

function allowedFrom(gateway: Gateway, binding: ApplicationTunnel | null): AllowedNamespaces {
  const { listeners } = gateway.spec;
  const listener =
    (binding && listeners.find((candidate) => isBound(candidate, binding))) ??
    listeners.find(({ protocol, port }) => protocol === 'HBONE' && port === HBONE_PORT);
  const namespaces = listener?.allowedRoutes?.namespaces;
  if (namespaces?.from === 'All') return { kind: 'all' };
  if (namespaces?.from === 'Selector') {
    const selector = namespaces.selector as LabelSelector | undefined;
    return { kind: 'selector', selector: selector ?? NOTHING };
  }
  return { kind: 'same' };
}

function isBound(
  listener: Gateway['spec']['listeners'][number],
  binding: ApplicationTunnel,
): boolean {
  if (binding.port !== 0) return listener.port === binding.port;
  return binding.protocol === 'proxy' && listener.protocol === SANDWICH_PROTOCOL;
}
