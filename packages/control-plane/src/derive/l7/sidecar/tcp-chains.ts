/** Where a sidecar leads connections that are not read as HTTP (spec l7 1.16; recordings l7/12, 13, 15). */
import type { VirtualService } from '@aquifer/model/resources';
import type { TcpProxySchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/tcp_proxy/v3_pb';
import type { MeshService } from '../../mesh-service.ts';
import { nameOf, namespaceOf } from '../../object.ts';
import type { MeshPort } from '../../ports.ts';
import {
  type TcpDestination,
  type TcpRoute,
  type TlsRoute,
  tcpDestinationsOf,
} from '../../routing/tcp-routes.ts';
import { isFor, MESH_GATEWAY, type RuleAudience } from '../../routing/virtual-service-match.ts';
import type { DestinationPolicy } from '../../traffic/traffic-policy.ts';
import { trafficPolicyAt } from '../../traffic/traffic-policy.ts';
import type { Init } from '../packed.ts';
import { hashesSources, lifetimes } from '../tcp-proxy.ts';
import { clusterOf, type RouteClient } from './host-routes.ts';

type ProxyInit = Init<typeof TcpProxySchema>;

/** Connections of one kind, and where they go. */
export interface TcpChain {
  /** Of the client's own TLS; none for any connection. */
  readonly serverNames: readonly string[];
  /** CIDRs; none for any address. */
  readonly ranges: readonly string[];
  /** One cluster, or several by weight under a name of their own. */
  readonly name: string;
  readonly clusters: readonly { readonly name: string; readonly weight: number }[];
  /** What DestinationRules say of connections. */
  readonly proxy: ProxyInit;
  /** `namespace/name` of the VirtualService that says so; null for none. */
  readonly origin: string | null;
}

/** What chains of a port are made of. */
export interface TcpPort {
  readonly service: MeshService;
  readonly port: MeshPort;
  /** Those that cover its host. */
  readonly virtualServices: readonly VirtualService[];
  readonly client: RouteClient;
}

/** The chains that VirtualServices make of a port; none if they say nothing of it. */
export function routedChains(of: TcpPort): readonly TcpChain[] {
  const { protocol } = of.port;
  const chains = protocol === 'tls' || protocol === 'https' ? tlsChains(of) : tcpChains(of);
  const seen = new Set<string>();
  return chains.filter(({ serverNames, ranges }) => {
    const match = JSON.stringify([serverNames, ranges]);
    return !seen.has(match) && seen.add(match);
  });
}

function audienceOf({ port, client: { view } }: TcpPort): RuleAudience {
  return {
    port: port.number,
    gateways: [MESH_GATEWAY],
    namespace: view.namespace,
    labels: view.labels,
  };
}

function tlsChains(of: TcpPort): TcpChain[] {
  return of.virtualServices.flatMap((service) =>
    (service.spec?.tls ?? []).flatMap((route) =>
      route.match
        .filter((block) => isFor(block, audienceOf(of), namespaceOf(service)))
        .map(({ sniHosts, destinationSubnets = [] }) => ({
          ...chainOf(route, service, of),
          serverNames: sniHosts,
          ranges: destinationSubnets,
        })),
    ),
  );
}

/** Those of several subnets, up to the first route that takes everything. As recorded, only that one names its origin. */
function tcpChains(of: TcpPort): TcpChain[] {
  const chains: TcpChain[] = [];
  for (const service of of.virtualServices) {
    for (const route of service.spec?.tcp ?? []) {
      const { match = [{}] } = route;
      const holding = match.filter((block) => isFor(block, audienceOf(of), namespaceOf(service)));
      if (holding.length === 0) continue;
      const made = { ...chainOf(route, service, of), serverNames: [] };
      const subnets = holding.flatMap(({ destinationSubnets = [] }) => destinationSubnets);
      const isForAll = holding.some(
        ({ destinationSubnets = [] }) => destinationSubnets.length === 0,
      );
      if (subnets.length > 0 && !isForAll) chains.push({ ...made, ranges: subnets, origin: null });
      if (isForAll) return [...chains, { ...made, ranges: [] }];
    }
  }
  return chains;
}

/** Who is led where, and the port that they come to. */
export interface TcpClient {
  readonly client: RouteClient;
  readonly port: { readonly number: number };
}

export function chainOf(
  route: TcpRoute | TlsRoute,
  service: VirtualService,
  of: TcpClient,
): Omit<TcpChain, 'serverNames' | 'ranges'> {
  const { client, port } = of;
  const destinations = tcpDestinationsOf(route, service, client.mesh);
  const clusters = destinations.map(({ destination, weight }) => ({
    name: clusterOf(destination, port.number, client).name,
    weight,
  }));
  const [only, ...others] = clusters;
  const name =
    only !== undefined && others.length === 0
      ? only.name
      : `${nameOf(service)}.${namespaceOf(service)}`;
  const proxy = proxyOf(destinations, of);
  return { name, clusters, proxy, origin: `${namespaceOf(service)}/${nameOf(service)}` };
}

/** Connections to the service itself. */
export function ownChain({ service, port, client }: TcpPort, cluster: string): TcpChain {
  const { view, routing, context } = client;
  const traffic = routing.trafficOf(context, view, service);
  return {
    serverNames: [],
    ranges: [],
    name: cluster,
    clusters: [{ name: cluster, weight: 1 }],
    proxy: settingsOf(traffic, '', port.number),
    origin: null,
  };
}

/** What holds for the first destination holds for all. */
function proxyOf([first]: readonly TcpDestination[], { client, port }: TcpClient): ProxyInit {
  if (first === undefined) return {};
  const { view, routing, context } = client;
  const { destination } = first;
  const service = routing.serviceAt(context, view.namespace, destination);
  const traffic = service === undefined ? null : routing.trafficOf(context, view, service);
  return settingsOf(traffic, destination.subset, destination.port ?? port.number);
}

function settingsOf(traffic: DestinationPolicy | null, subset: string, port: number): ProxyInit {
  if (traffic === null) return {};
  const { tunnel } = trafficPolicyAt(traffic, port, subset) ?? {};
  return {
    ...lifetimes(traffic),
    ...(hashesSources(traffic, subset) && {
      hashPolicy: [{ policySpecifier: { case: 'sourceIp', value: {} } }],
    }),
    ...(tunnel !== undefined && {
      tunnelingConfig: {
        hostname: `${tunnel.targetHost}:${tunnel.targetPort}`,
        ...(tunnel.protocol === 'POST' && { usePost: true }),
      },
    }),
  };
}
