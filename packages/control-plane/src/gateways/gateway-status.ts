/** The status of a Gateway that is run here: a waypoint's, or a gateway's for clients outside of the mesh (spec control-plane 5.4). */
import type { Gateway } from '@aquifer/model/resources';
import type { Context } from '../collections/cell.ts';
import type { GatewayApiCollections } from '../derive/gateway-api/gateway-api-collections.ts';
import { type GatewayListener, listenerKey } from '../derive/gateway-api/gateway-listener.ts';
import type { ServedGateway } from '../derive/gateway-api/gateway-listeners.ts';
import { servicesOfGateway, unsupportedAddresses } from '../derive/gateway-api/gateway-services.ts';
import { namespaceOf } from '../derive/object.ts';
import { keyOf } from '../ingest/cluster-inputs.ts';
import type { Manifest } from '../reconcile/wish.ts';
import type { ConditionText } from '../status/condition-list.ts';
import { type AddressInputs, assign, programmed, withType } from './gateway-addresses.ts';
import { type ListenerStatus, listenerStatus, waypointListenerStatus } from './listener-status.ts';

export interface DerivedGatewayStatus {
  /** Empty as long as nothing was ever assigned. */
  readonly addresses: readonly { readonly type: string; readonly value: string }[];
  readonly conditions: readonly ConditionText[];
  readonly listeners: readonly ListenerStatus[];
  /** Only said where ListenerSets are let in. */
  readonly attachedListenerSets?: number;
}

export interface GatewayStatusInputs extends AddressInputs {
  readonly gatewayApi: Pick<GatewayApiCollections, 'gateways' | 'attachments'>;
}

export function deriveGatewayStatus(
  gateway: Gateway,
  controller: string,
  inputs: GatewayStatusInputs,
  context: Context,
): DerivedGatewayStatus {
  // Null for a waypoint.
  const served = context.get(inputs.gatewayApi.gateways, keyOf(gateway)) ?? null;
  const services = servicesOfGateway(gateway, controller, inputs.settings);
  const ports = unique([
    ...gateway.spec.listeners.map(({ port }) => port),
    ...(served?.listeners ?? []).map(({ port }) => port),
  ]);
  const assignment = assign({ gateway, controller, services, ports }, inputs, context);
  // Bindings stay put when pods come and go: addresses, once set, are not taken away.
  const addresses =
    assignment.addresses.length > 0
      ? assignment.addresses.map(withType)
      : (gateway.status?.addresses ?? []);
  const own = (served?.listeners ?? []).filter(({ owner }) => owner.kind === 'Gateway');
  return {
    addresses: addresses.map(({ type = 'IPAddress', value = '' }) => ({ type, value })),
    conditions: [
      accepted(gateway, own),
      services.length === 0 ? UNASSIGNED : programmed(assignment),
      resolvedRefs(gateway),
    ],
    listeners:
      served === null
        ? gateway.spec.listeners.map(waypointListenerStatus)
        : own.map((listener) => listenerStatus(listener, attachedTo(listener, inputs, context))),
    ...attachedSets(gateway, served),
  };
}

function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}

export function attachedTo(
  listener: GatewayListener,
  { gatewayApi }: Pick<GatewayStatusInputs, 'gatewayApi'>,
  context: Context,
): number {
  return context.lookup(gatewayApi.attachments, listenerKey(listener)).length;
}

function attachedSets(
  { spec }: Gateway,
  served: ServedGateway | null,
): Pick<DerivedGatewayStatus, 'attachedListenerSets'> {
  if (served === null || spec.allowedListeners === undefined) return {};
  return { attachedListenerSets: served.sets.length };
}

const UNASSIGNED: ConditionText = {
  type: 'Programmed',
  status: 'False',
  reason: 'UnsupportedAddress',
  message: 'Failed to assign to any requested addresses',
};

function accepted(gateway: Gateway, listeners: readonly GatewayListener[]): ConditionText {
  const type = 'Accepted';
  const unsupported = unsupportedAddresses(gateway);
  if (unsupported.length > 0) {
    const message = `only Hostname is supported, ignoring [${unsupported.join(' ')}]`;
    return { type, status: 'False', reason: 'UnsupportedAddress', message };
  }
  return listenersAccepted(listeners) ?? ACCEPTED;
}

export const ACCEPTED: ConditionText = {
  type: 'Accepted',
  status: 'True',
  reason: 'Accepted',
  message: 'Resource accepted',
};

/** Null where all of them are; some that are not keep nobody from the others. */
export function listenersAccepted(listeners: readonly GatewayListener[]): ConditionText | null {
  const bad = listeners.filter(({ problems }) => problems.Accepted !== undefined);
  if (bad.length === 0) return null;
  const [status, message] =
    bad.length === listeners.length
      ? ['False', "None of the Gateway's listeners are valid"]
      : ['True', "One or more of the Gateway's listeners are invalid"];
  return { type: 'Accepted', status, reason: 'ListenersNotValid', message };
}

function resolvedRefs({ spec }: Gateway): ConditionText {
  const type = 'ResolvedRefs';
  if (spec.tls?.backend?.clientCertificateRef === undefined) {
    return { type, status: 'True', reason: type, message: 'All references resolved' };
  }
  const message =
    'spec.tls.backend.clientCertificateRef is not supported: backends are shown no certificate';
  return { type, status: 'False', reason: 'InvalidClientCertificateRef', message };
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
  return withCondition(status, {
    type: 'Programmed',
    status: 'False',
    reason: 'NameConflict',
    message,
  });
}

/** The status of a Gateway whose objects cannot be written. */
export function withRefused(status: DerivedGatewayStatus, message: string): DerivedGatewayStatus {
  return withCondition(status, { type: 'Programmed', status: 'False', reason: 'Invalid', message });
}

/** The status of a Gateway that is not accepted, because of what lies over its objects; what runs goes on. */
export function withUnusable(status: DerivedGatewayStatus, problem: string): DerivedGatewayStatus {
  const message = `${problem}; nothing is deployed until that is right, and what runs stays`;
  const reason = 'InvalidParameters';
  return withCondition(status, { type: 'Accepted', status: 'False', reason, message });
}

function withCondition(status: DerivedGatewayStatus, own: ConditionText): DerivedGatewayStatus {
  const conditions = status.conditions.map((each) => (each.type === own.type ? own : each));
  return { ...status, conditions };
}
