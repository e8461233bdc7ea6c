/** Connections that are passed on as they are (spec control-plane 6.2; recordings l7/01, 17). */
import type { TcpProxySchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/tcp_proxy/v3_pb';
import { durationMs } from '../routing/durations.ts';
import type { TcpDestination } from '../routing/tcp-routes.ts';
import type { DestinationPolicy } from '../traffic/traffic-policy.ts';
import { clusterOf } from './backend.ts';
import { tcpProxy } from './http-connection-manager.ts';
import { duration, type Extension, type Init } from './packed.ts';
import { destinationKey, type ServiceScope } from './scope.ts';

type ProxyInit = Init<typeof TcpProxySchema>;

/** Of a port of a service: to its own cluster, unless a route says where else. */
export function serviceTcpProxy(name: string, port: number, scope: ServiceScope): Extension {
  const destinations = scope.tcp.get(port) ?? [];
  const [first] = destinations;
  const traffic =
    first === undefined
      ? scope.traffic
      : (scope.backends.get(destinationKey(first.destination))?.traffic ?? null);
  const subset = destinations.length === 1 ? (first?.destination.subset ?? '') : '';
  return tcpProxy(name, scope.telemetry, {
    ...(first !== undefined && { clusterSpecifier: clusterSpecifier(destinations, port, scope) }),
    ...lifetimes(traffic),
    ...(hashesSources(traffic, subset) && {
      hashPolicy: [{ policySpecifier: { case: 'sourceIp', value: {} } }],
    }),
  });
}

function clusterSpecifier(
  destinations: readonly TcpDestination[],
  port: number,
  scope: ServiceScope,
): NonNullable<ProxyInit['clusterSpecifier']> {
  const clusters = destinations.map(({ destination, weight }) => ({
    name: clusterOf(destination, port, scope).name,
    weight,
  }));
  const [only, ...others] = clusters;
  return only !== undefined && others.length === 0
    ? { case: 'cluster', value: only.name }
    : { case: 'weightedClusters', value: { clusters } };
}

/** As recorded, settings of ports do not count here. */
export function lifetimes(traffic: DestinationPolicy | null): ProxyInit {
  const { idleTimeout, maxConnectionDuration } = traffic?.policy?.connectionPool?.tcp ?? {};
  return {
    ...(idleTimeout !== undefined && { idleTimeout: duration(durationMs(idleTimeout)) }),
    ...(maxConnectionDuration !== undefined && {
      maxDownstreamConnectionDuration: duration(durationMs(maxConnectionDuration)),
    }),
  };
}

/** A subset that is balanced in its own way decides for itself. */
export function hashesSources(traffic: DestinationPolicy | null, subset: string): boolean {
  const own = traffic?.subsets.get(subset)?.policy?.loadBalancer;
  const { consistentHash } = own ?? traffic?.policy?.loadBalancer ?? {};
  return consistentHash?.useSourceIp === true;
}
