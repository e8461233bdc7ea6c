/** From a destination of a rule to a cluster of a waypoint (spec control-plane 6.2, recordings l7/07, 11). */
import type { Destination } from '../routing/route-rule.ts';
import { consistentHashOf } from '../traffic/traffic-policy.ts';
import { hashPolicy } from './envoy-hash.ts';
import type { HashPolicyInit, RouteCluster } from './envoy-route.ts';
import { inboundCluster, outboundCluster } from './names.ts';
import { l7Ports } from './port-protocol.ts';
import { destinationKey, type ServiceScope } from './scope.ts';

/** A cluster that does not exist: requests to it are answered with the route's `cluster_not_found_response_code`. */
const UNKNOWN: RouteCluster = { name: 'UnknownService', authority: null };

/** A missing service gets the name that it would have, so that its share of the requests fails. */
export function clusterOf(
  destination: Destination,
  listenPort: number,
  scope: Pick<ServiceScope, 'backends'>,
): RouteCluster {
  const { host, subset } = destination;
  if (host === null) return UNKNOWN;
  const backend = scope.backends.get(destinationKey(destination));
  const ports = l7Ports(backend?.service.ports ?? []);
  const only = ports.length === 1 ? ports[0]?.port : undefined;
  const port = destination.port ?? only ?? listenPort;
  const authority = `${host}:${port}`;
  if (backend?.isReachedInbound === false) {
    return { name: outboundCluster(port, host, subset), authority };
  }
  const protocol = ports.find((candidate) => candidate.port === port)?.protocol;
  const kind = protocol === 'tcp' ? 'tcp' : 'http';
  return { name: inboundCluster(kind, port, host, subset), authority };
}

/** By what requests to the destination are hashed to one endpoint; null if they are not. */
export function hashOf(
  destination: Destination,
  scope: Pick<ServiceScope, 'backends'>,
): HashPolicyInit | null {
  const traffic = scope.backends.get(destinationKey(destination))?.traffic ?? null;
  if (traffic === null) return null;
  const hash = consistentHashOf(traffic, destination.subset, destination.port);
  return hash === null ? null : hashPolicy(hash);
}
