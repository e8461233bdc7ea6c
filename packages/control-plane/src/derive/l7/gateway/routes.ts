/** Routes of gateways as Envoy takes them (spec l7 4.2; recordings l7/19, 20). */
import type { VirtualService } from '@aquifer/model/resources';
import { VirtualHost_TlsRequirementType as TlsRequirement } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { nameOf, namespaceOf } from '../../object.ts';
import { rulesOfVirtualService } from '../../routing/virtual-service-rules.ts';
import type { RouteInit } from '../envoy-route.ts';
import { envoyRoutes, type RouteClient } from '../sidecar/host-routes.ts';
import { encodeRouteTable, marshalled } from '../sidecar/routes.ts';
import { followedAt, sharedHosts } from './hosts.ts';
import type { GatewayServer } from './servers.ts';

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
    for (const service of followedAt(server, client)) {
      const made = routesOf(service, server, client);
      if (made.routes.length === 0) continue;
      addRoutes(hosts, sharedHosts(server, service, client.mesh), server, made);
    }
    if (!isRedirecting(server)) continue;
    for (const host of server.hosts) addRoutes(hosts, [host.name], server, NO_ROUTES);
  }
  const [first] = servers;
  const encoded =
    hosts.size === 0
      ? [marshalled({ name: `blackhole:${first?.number}`, domains: ['*'] })]
      : virtualHosts(hosts);
  return encodeRouteTable({ name, unknownHosts: null }, encoded);
}

type Made = Pick<Host, 'routes' | 'made'>;

const NO_ROUTES: Made = { routes: [], made: '' };

function isRedirecting({ tls }: GatewayServer): boolean {
  return tls?.httpsRedirect === true;
}

function routesOf(service: VirtualService, server: GatewayServer, client: RouteClient): Made {
  const { gateway, number } = server;
  const { view, mesh, routing, context } = client;
  const audience = {
    port: number,
    gateways: [gateway],
    namespace: view.namespace,
    labels: null,
  };
  const rules = rulesOfVirtualService(service, audience, routing.findVirtualService(context), mesh);
  const origin = { namespace: namespaceOf(service), name: nameOf(service) };
  return {
    routes: envoyRoutes([{ origin, rules }], number, client),
    made: `${origin.namespace}/${origin.name} ${gateway} ${number}`,
  };
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
