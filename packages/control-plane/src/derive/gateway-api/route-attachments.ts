/** Which listeners a route is attached to, and why not to the others (spec l7 4.2; recording l7/21). */
import type { ParentReference } from '@aquifer/model/resources';
import { hostCovers, hostsOverlap } from '../routing/hosts.ts';
import type { GatewayListener, RouteKindName } from './gateway-listener.ts';
import { type GatewaySources, isFrom } from './gateway-listeners.ts';

/** What is looked at of a route. */
export interface AttachingRoute {
  readonly kind: RouteKindName;
  readonly namespace: string;
  /** None for any. */
  readonly hostnames: readonly string[];
}

export interface Denial {
  readonly reason: 'NoMatchingParent' | 'NotAllowedByListeners' | 'NoMatchingListenerHostname';
  readonly message: string;
}

/** Null if the listener takes the route. */
export function denial(
  route: AttachingRoute,
  { sectionName = '', port }: Pick<ParentReference, 'sectionName' | 'port'>,
  listener: GatewayListener,
  namespaceLabels: GatewaySources['namespaceLabels'],
): Denial | null {
  const { name, kinds } = listener;
  if (port !== undefined && port !== listener.port) {
    return { reason: 'NoMatchingParent', message: `port ${port} not found` };
  }
  if (sectionName !== '' && sectionName !== name) {
    const message = `sectionName ${JSON.stringify(sectionName)} not found`;
    return { reason: 'NoMatchingParent', message };
  }
  const said = JSON.stringify(listener.hostname);
  const hostname = listener.hostname || '*';
  const wanted = route.hostnames.length === 0 ? ['*'] : route.hostnames;
  if (!wanted.some((own) => hostsOverlap(own, hostname))) {
    const message = `no hostnames matched parent hostname ${said}`;
    return { reason: 'NoMatchingListenerHostname', message };
  }
  if (!isFrom(listener.allowedFrom, listener.owner.namespace, route.namespace, namespaceLabels)) {
    return {
      reason: 'NotAllowedByListeners',
      message: `hostnames matched parent hostname ${said}, but namespace "${route.namespace}" is not allowed by the parent`,
    };
  }
  if (kinds.includes(route.kind)) return null;
  return {
    reason: 'NotAllowedByListeners',
    message: `kind gateway.networking.k8s.io/v1/${route.kind} is not allowed`,
  };
}

/** What is said first of several listeners that do not take a route. */
const RANKS: readonly Denial['reason'][] = [
  'NotAllowedByListeners',
  'NoMatchingListenerHostname',
  'NoMatchingParent',
];

/** Of one parent, whose listeners all refuse: the reasons that come closest, together. */
export function denialOf(denials: readonly Denial[]): Denial | null {
  const reason = RANKS.find((rank) => denials.some((found) => found.reason === rank));
  if (reason === undefined) return null;
  const messages = denials.filter((found) => found.reason === reason).map(({ message }) => message);
  return { reason, message: messages.join('; ') };
}

/** A hostname of a route, and the part of it that the listener has. */
export interface AttachedHost {
  readonly written: string;
  readonly served: string;
}

/**
 * The names that a route serves at a listener. Of those that share port and protocol the one with the closest hostname has a
 * name, also where none of its routes take a request for it.
 */
export function attachedHosts(
  { hostnames }: AttachingRoute,
  listener: GatewayListener,
  all: readonly GatewayListener[],
): readonly AttachedHost[] {
  const own = listener.hostname || '*';
  const rivals = all.filter(
    (other) =>
      other.port === listener.port &&
      other.protocol === listener.protocol &&
      other.hostname !== listener.hostname &&
      hostCovers(own, other.hostname || '*'),
  );
  return (hostnames.length === 0 ? ['*'] : hostnames)
    .map((name) => name.toLowerCase())
    .filter((written) => hostsOverlap(written, own))
    .map((written) => ({ written, served: hostCovers(own, written) ? written : own }))
    .filter(({ served }) => !rivals.some(({ hostname }) => hostCovers(hostname, served)));
}
