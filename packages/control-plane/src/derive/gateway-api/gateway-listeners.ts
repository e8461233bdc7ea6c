/** What a Gateway of class `istio` listens for: its own listeners and those of ListenerSets (spec l7 4.2, 4.8, 4.9). */
import { selects } from '@aquifer/model/kubernetes';
import type { Gateway, ListenerSet } from '@aquifer/model/resources';
import type { ObjectRef } from '../../ingest/kinds.ts';
import { byAge, nameOf, namespaceOf, refTo } from '../object.ts';
import { type FrontendSources, withFrontend } from './frontend-tls.ts';
import {
  type AllowedFrom,
  allowedFrom,
  type GatewayListener,
  kindsOf,
  type ListenerOwner,
  type ListenerProblems,
  type ListenerSpec,
  type Problem,
} from './gateway-listener.ts';
import { listenerConflicts } from './listener-conflicts.ts';
import { listenerTls, type TlsSources } from './listener-tls.ts';

/** A Gateway that proxies serve, and how they know that it is theirs. */
export interface ServedGateway {
  readonly source: ObjectRef;
  /** Hostnames of the Services in front of its proxies; none where `spec.addresses` has nothing that can be used. */
  readonly services: readonly string[];
  /** Its own in their order, then those of ListenerSets, the oldest first. */
  readonly listeners: readonly GatewayListener[];
  /** Those that may add to it. */
  readonly sets: readonly ObjectRef[];
}

type ListenerSources = TlsSources & FrontendSources;

export interface GatewaySources extends ListenerSources {
  /** Those with the Gateway as parent. */
  readonly sets: readonly ListenerSet[];
  namespaceLabels(namespace: string): Readonly<Record<string, string>>;
}

export function servedGateway(
  gateway: Gateway,
  services: readonly string[],
  sources: GatewaySources,
): ServedGateway {
  const allowed = sources.sets
    .filter((set) => mayAdd(set, gateway, sources.namespaceLabels))
    .toSorted(byAge);
  const read = [gateway, ...allowed].flatMap((owner) => listenersOf(owner, gateway, sources));
  const conflicts = listenerConflicts(read);
  const listeners = read.map((listener, index) => {
    const conflict = conflicts[index] ?? null;
    return conflict === null ? listener : { ...listener, problems: inConflict(listener, conflict) };
  });
  return {
    source: refTo(gateway),
    services,
    listeners: services.length === 0 ? [] : listeners,
    sets: allowed.map(refTo),
  };
}

function inConflict({ problems }: GatewayListener, conflict: Problem): ListenerProblems {
  return { ...problems, Accepted: conflict, Conflicted: conflict, Programmed: conflict };
}

/** Whether listeners of the set count; without a word of the Gateway none do. */
function mayAdd(
  set: ListenerSet,
  gateway: Gateway,
  namespaceLabels: GatewaySources['namespaceLabels'],
): boolean {
  const from = allowedFrom(gateway.spec.allowedListeners?.namespaces, 'none');
  return isFrom(from, namespaceOf(gateway), namespaceOf(set), namespaceLabels);
}

/** Whether a namespace is one of those that are let in. */
export function isFrom(
  from: AllowedFrom,
  own: string,
  namespace: string,
  namespaceLabels: GatewaySources['namespaceLabels'],
): boolean {
  switch (from.kind) {
    case 'all':
      return true;
    case 'none':
      return false;
    case 'same':
      return namespace === own;
    case 'selector':
      return selects(from.selector, namespaceLabels(namespace));
  }
}

function listenersOf(
  owner: Gateway | ListenerSet,
  gateway: Gateway,
  sources: ListenerSources,
): GatewayListener[] {
  const listedBy: ListenerOwner = {
    kind: owner === gateway ? 'Gateway' : 'ListenerSet',
    namespace: namespaceOf(owner),
    name: nameOf(owner),
    createdAt: String(owner.metadata.creationTimestamp ?? ''),
  };
  return owner.spec.listeners.map((spec) => listenerOf(spec, listedBy, gateway, sources));
}

function listenerOf(
  spec: ListenerSpec,
  owner: ListenerOwner,
  gateway: Gateway,
  sources: ListenerSources,
): GatewayListener {
  const { kinds, areAllKnown } = kindsOf(spec);
  const { tls: own, problem } = listenerTls(spec, owner, sources);
  const { tls, problems } = withFrontend(own, spec, gateway, sources);
  const unsupported = protocolProblem(spec.protocol);
  return {
    owner,
    name: spec.name,
    port: spec.port,
    protocol: spec.protocol,
    hostname: (spec.hostname ?? '').toLowerCase(),
    kinds,
    allowedFrom: allowedFrom(spec.allowedRoutes?.namespaces, 'same'),
    tls,
    problems: {
      ...problems,
      ...(unsupported !== null && { Accepted: unsupported }),
      ...(problem !== null && {
        Programmed: { reason: 'Invalid', message: 'Bad TLS configuration' },
        ResolvedRefs: problem,
      }),
      ...(!areAllKnown && {
        ResolvedRefs: { reason: 'InvalidRouteKinds', message: 'Invalid route kinds' },
      }),
    },
  };
}

const SERVED_PROTOCOLS: readonly string[] = ['HTTP', 'HTTPS', 'TLS', 'TCP'];

function protocolProblem(protocol: string): Problem | null {
  if (SERVED_PROTOCOLS.includes(protocol)) return null;
  const upper = protocol.toUpperCase();
  const said = `protocol ${JSON.stringify(protocol)}`;
  const message =
    protocol === 'HBONE'
      ? `${said} is only supported for waypoint proxies`
      : [...SERVED_PROTOCOLS, 'HBONE'].includes(upper)
        ? `${said} is unsupported. hint: ${JSON.stringify(upper)} (uppercase) may be supported`
        : `${said} is unsupported`;
  return { reason: 'UnsupportedProtocol', message };
}
