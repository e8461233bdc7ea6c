/** Routes of gateways as Envoy takes them (spec l7 4.2; recordings l7/19 to 21). */
import { VirtualHost_TlsRequirementType as TlsRequirement } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { isRaw } from '../../gateway-api/any-route.ts';
import { byAge, nameOf, namespaceOf } from '../../object.ts';
import { rulesOfRoutes } from '../../routing/gateway-rules.ts';
import { hostCovers } from '../../routing/hosts.ts';
import { rulesOfVirtualService } from '../../routing/virtual-service-rules.ts';
import type { RouteInit } from '../envoy-route.ts';
import type { RouteList } from '../route-lists.ts';
import { envoyRoutes, type RouteClient } from '../sidecar/host-routes.ts';
import { encodeRouteTable, marshalled } from '../sidecar/routes.ts';
import { followedAt, sharedHosts } from './hosts.ts';
import { type GatewayServer, listenerKeyOf } from './servers.ts';

/** Where requests for a name go. */
interface Host {
  /** The server's. */
  readonly port: number;
  readonly plaintext: 'served' | 'redirected';
  readonly routes: readonly RouteInit[];
  /** What `routes` are made of: names with the same are one virtual host. */
  readonly made: string;
}

/** One table, marshalled. Names that no VirtualService has are not found. */
export function gatewayRoutes(
  name: string,
  servers: readonly GatewayServer[],
  client: RouteClient,
): Uint8Array {
  const hosts = new Map<string, Host>();
  for (const server of servers) {
    for (const { names, ...made } of madeFor(server, client)) addRoutes(hosts, names, server, made);
    if (!isRedirecting(server)) continue;
    for (const host of server.hosts) addRoutes(hosts, [host.name], server, NO_ROUTES);
  }
  keepApart(hosts, servers);
  const [first] = servers;
  const encoded =
    hosts.size === 0
      ? [marshalled({ name: `blackhole:${first?.number}`, domains: ['*'] })]
      : virtualHosts(hosts);
  return encodeRouteTable({ name, unknownHosts: null }, encoded);
}

type Made = Pick<Host, 'routes' | 'made'>;

const NO_ROUTES: Made = { routes: [], made: '' };

/** With the names of the server that they are for. */
type MadeFor = Made & { readonly names: readonly string[] };

function isRedirecting({ tls }: GatewayServer): boolean {
  return tls?.httpsRedirect === true;
}

function madeFor(server: GatewayServer, client: RouteClient): MadeFor[] {
  const made =
    server.ruledBy === 'routes' ? ofListener(server, client) : ofServices(server, client);
  return made.filter(({ routes }) => routes.length > 0);
}

function ofServices(server: GatewayServer, client: RouteClient): MadeFor[] {
  const { gateway, number } = server;
  const { view, mesh, routing, context } = client;
  const audience = { port: number, gateways: [gateway], namespace: view.namespace, labels: null };
  return followedAt(server, client).map((service) => {
    const find = routing.findVirtualService(context);
    const rules = rulesOfVirtualService(service, audience, find, mesh);
    const origin = { namespace: namespaceOf(service), name: nameOf(service) };
    return {
      names: sharedHosts(server, service, mesh),
      ...listOf({ origin, rules }, server, client),
    };
  });
}

function listOf(list: RouteList, server: GatewayServer, client: RouteClient): Made {
  const { gateway, number, kind } = server;
  const { namespace, name } = list.origin;
  return {
    routes: envoyRoutes([list], number, client, kind === 'https' ? 'https' : 'http'),
    made: `${namespace}/${name} ${gateway} ${number}`,
  };
}

/** The routes at a listener that have one hostname are a list, named as Istio does; closer hostnames count first. */
function ofListener(server: GatewayServer, client: RouteClient): MadeFor[] {
  const { mesh, routing, context } = client;
  const attached = routing
    .attachmentsAt(context, listenerKeyOf(server))
    .flatMap(({ route, hosts }) => (isRaw(route) ? [] : hosts.map((host) => ({ route, ...host }))));
  const byHost = Map.groupBy(attached, ({ written }) => written);
  return [...byHost]
    .toSorted(([a], [b]) => closestFirst(a, b))
    .map(([written, members]) => {
      const routes = members.map(({ route }) => route).toSorted(byAge);
      const rules = rulesOfRoutes(routes, mesh, routing.mayLead(context));
      const name = `${server.gateway.replace('/', '~')}~${written}`;
      const origin = { namespace: namespaceOf(routes[0]!), name };
      return {
        names: [...new Set(members.map(({ served }) => served))],
        ...listOf({ origin, rules }, server, client),
      };
    });
}

/** A name that a listener has to itself is not served by the pattern of another, even if no route of its own has it. */
function keepApart(hosts: Map<string, Host>, servers: readonly GatewayServer[]): void {
  const patterns = [...hosts.keys()].filter((name) => name.startsWith('*'));
  for (const server of servers) {
    if (server.ruledBy !== 'routes') continue;
    for (const { name } of server.hosts) {
      const isOthers = patterns.some((pattern) => hostCovers(pattern, name));
      if (!hosts.has(name) && isOthers) addRoutes(hosts, [name], server, NO_ROUTES);
    }
  }
}

function addRoutes(
  hosts: Map<string, Host>,
  names: readonly string[],
  server: GatewayServer,
  { routes, made }: Made,
): void {
  for (const name of names) {
    const known = hosts.get(name);
    hosts.set(name, {
      port: known?.port ?? server.number,
      plaintext: isRedirecting(server) ? 'redirected' : (known?.plaintext ?? 'served'),
      routes: [...(known?.routes ?? []), ...routes],
      made: `${known?.made ?? ''} ${made}`.trim(),
    });
  }
}

function virtualHosts(hosts: ReadonlyMap<string, Host>): Uint8Array[] {
  const groups = Map.groupBy(hosts, ([, { port, plaintext, made }]) =>
    JSON.stringify([port, plaintext, made]),
  );
  const all = Array.from(groups.values(), (members) => {
    const domains = members.map(([name]) => name).toSorted(closestFirst);
    const [, { port, plaintext, routes }] = members[0]!;
    return {
      name: `${domains[0]}:${port}`,
      domains,
      routes: [
        ...routes.filter((route) => !takesAll(route)),
        // As recorded, whoever says that everything is taken comes last.
        ...routes.filter(takesAll),
      ],
      requireTls: plaintext === 'redirected' ? TlsRequirement.ALL : TlsRequirement.NONE,
    };
  });
  return all.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(marshalled);
}

function takesAll({ match }: RouteInit): boolean {
  const { pathSpecifier, headers = [], queryParameters = [] } = match ?? {};
  return (
    pathSpecifier?.case === 'prefix' &&
    pathSpecifier.value === '/' &&
    headers.length === 0 &&
    queryParameters.length === 0
  );
}

/** Whole names before patterns, long ones before short ones. */
function closestFirst(a: string, b: string): number {
  const isPattern = Number(a.startsWith('*')) - Number(b.startsWith('*'));
  return isPattern || b.length - a.length || (a < b ? -1 : 1);
}
