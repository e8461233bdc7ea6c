/** The routes of one port of a service at its waypoint (spec control-plane 6.2, l7 1.15; recordings l7/01, 04–07, 11). */
import type { RouteConfigurationSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { DEFAULT_RETRIES } from '../routing/route-rule.ts';
import { consistentHashOf } from '../traffic/traffic-policy.ts';
import { clusterOf, hashOf } from './backend.ts';
import { hashPolicy } from './envoy-hash.ts';
import { retryPolicy } from './envoy-retry.ts';
import {
  envoyRoute,
  type HashPolicyInit,
  type RouteInit,
  type RouteTarget,
} from './envoy-route.ts';
import { type Init, seconds } from './packed.ts';
import type { ServiceScope } from './scope.ts';

type RouteConfigInit = Init<typeof RouteConfigurationSchema>;

/** Envoy's own limit is 4 KiB. */
const MAX_DIRECT_BODY_BYTES = 1_048_576;

function routeConfig(
  name: string,
  port: number,
  routes: RouteInit[],
  isDefault: boolean,
): RouteConfigInit {
  return {
    name,
    validateClusters: false,
    ...(isDefault && { maxDirectResponseBodySizeBytes: MAX_DIRECT_BODY_BYTES }),
    virtualHosts: [{ name: `inbound|http|${port}`, domains: ['*'], routes }],
  };
}

/** The same for names that the host covers only, whatever port they are asked for with. */
function forNamesOf(hostname: string, config: RouteConfigInit): RouteConfigInit {
  const virtualHosts = config.virtualHosts?.map((host) => ({ ...host, domains: [hostname] }));
  return {
    ...config,
    ignorePortInHostMatching: true,
    ...(virtualHosts && {
      virtualHosts: virtualHosts as NonNullable<RouteConfigInit['virtualHosts']>,
    }),
  };
}

interface DefaultTarget {
  readonly cluster: string;
  /** How traces show it; may be empty. */
  readonly hostname: string;
  /** By what requests are hashed to one endpoint; null if they are not. */
  readonly hash: HashPolicyInit | null;
}

/** Everything to one cluster. */
export function defaultRoutes(
  name: string,
  port: number,
  { cluster, hostname, hash }: DefaultTarget,
): RouteConfigInit {
  const route: RouteInit = {
    name: 'default',
    match: { pathSpecifier: { case: 'prefix', value: '/' } },
    decorator: { operation: `${hostname}:${port}/*` },
    action: {
      case: 'route',
      value: {
        clusterSpecifier: { case: 'cluster', value: cluster },
        timeout: seconds(0),
        maxGrpcTimeout: seconds(0),
        retryPolicy: retryPolicy(DEFAULT_RETRIES, hash !== null),
        hashPolicy: hash === null ? [] : [hash],
      },
    },
  };
  return routeConfig(name, port, [route], true);
}

/** The rules for the port, else the default route. Requests that no rule of theirs takes get 404. */
export function serviceRoutes(name: string, port: number, scope: ServiceScope): RouteConfigInit {
  const { hostname, resolution } = scope.service;
  const config = routesOfAnyHost(name, port, scope);
  return resolution === 'dynamic-dns' ? forNamesOf(hostname, config) : config;
}

function routesOfAnyHost(name: string, port: number, scope: ServiceScope): RouteConfigInit {
  const lists = scope.lists.get(port) ?? [];
  if (lists.length === 0) {
    const hash = scope.traffic === null ? null : consistentHashOf(scope.traffic, '', port);
    return defaultRoutes(name, port, {
      cluster: name,
      hostname: scope.service.hostname,
      hash: hash === null ? null : hashPolicy(hash),
    });
  }
  const routes = lists.flatMap(({ origin, rules }) => {
    const target: RouteTarget = {
      port,
      origin,
      clusterOf: (destination) => clusterOf(destination, port, scope),
      hashOf: (destination) => hashOf(destination, scope),
    };
    return rules.map((rule) => envoyRoute(rule, target));
  });
  return routeConfig(name, port, routes, false);
}
