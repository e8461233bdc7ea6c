/** Route tables of sidecars as collections: a host that is as usual is encoded once, whoever asks for it. */
import type { Context } from '../../../collections/cell.ts';
import type { Collection } from '../../../collections/collection.ts';
import { settingsIn } from '../../mesh-settings.ts';
import { refTo } from '../../object.ts';
import { resource } from '../../resource.ts';
import type { HashPolicyInit } from '../envoy-route.ts';
import { isSameOwned, type OwnedResource } from '../owned-resource.ts';
import { ANY_NAMESPACE } from '../routing-lookups.ts';
import type { EgressScope } from './egress-scope.ts';
import { envoyRoutes, hashOfService, rulesAt } from './host-routes.ts';
import { isSameTable, type RouteTable, routeTables, type VirtualHost } from './outbound-routes.ts';
import { defaultRoute, encodeRouteTable, encodeVirtualHost } from './routes.ts';
import { clientIn, type ProxyInputs, type ScopeInputs } from './scope-inputs.ts';
import { otherHosts } from './virtual-services.ts';

interface OwnedTable {
  readonly scope: EgressScope;
  readonly table: RouteTable;
}

/** What a host of a table is made of: as usual, or by rules for this view. */
type HostContent =
  | {
      readonly kind: 'usual';
      readonly content: string;
      readonly host: Pick<VirtualHost, 'hostname' | 'port' | 'domains'>;
      readonly hash: HashPolicyInit | null;
    }
  | { readonly kind: 'ruled'; readonly bytes: Uint8Array };

export function routeCollection(inputs: ScopeInputs): Collection<OwnedResource> {
  const { graph } = inputs;
  const tables = tablesOf(inputs);
  const wanted = graph.flatMap('hosts of tables', tables, ({ scope, table }) =>
    table.hosts.map((host) => [keyOf(scope, table, host), { scope, table, host }] as const),
  );
  const contents = graph.map('virtual hosts', wanted, ({ scope, table, host }, context) =>
    contentOf(host, { scope, table }, inputs, context),
  );
  const usual = graph.flatMap('usual virtual hosts, each once', contents, (made) =>
    made.kind === 'usual' ? [[made.content, made] as const] : [],
  );
  const shared = graph.map('usual virtual hosts', usual, ({ host, hash }) =>
    encodeVirtualHost(host, [defaultRoute(host, hash)]),
  );
  return graph.map(
    'routes of called services',
    tables,
    ({ scope, table }, context): OwnedResource => {
      const hosts = table.hosts.flatMap((host) => {
        const made = context.get(contents, keyOf(scope, table, host));
        if (made === undefined) return [];
        return made.kind === 'ruled' ? made.bytes : context.get(shared, made.content)!;
      });
      const sources = table.hosts.flatMap(({ service }) =>
        service === null ? [] : refTo(service),
      );
      const bytes = encodeRouteTable(table, hosts);
      return { owner: scope.view.key, resource: resource(table.name, null, bytes, sources) };
    },
    isSameOwned,
  );
}

function keyOf({ view }: EgressScope, table: RouteTable, { hostname }: VirtualHost): string {
  return `${view.key} ${table.name} ${hostname}`;
}

function tablesOf({ graph, mesh, routing, scopes }: ScopeInputs): Collection<OwnedTable> {
  const others = graph.map('hosts that are no services', scopes, (scope, context) => {
    const all = routing.virtualServicesOf(context, ANY_NAMESPACE, '*');
    return otherHosts(all, scope, settingsIn(mesh, context));
  });
  return graph.flatMap(
    'route tables',
    scopes,
    (scope, context) => {
      const { clusterDomain } = settingsIn(mesh, context);
      const more = context.get(others, scope.view.key) ?? [];
      return Array.from(
        routeTables(scope, more, clusterDomain),
        ([name, table]): [string, OwnedTable] => [`${scope.view.key} ${name}`, { scope, table }],
      );
    },
    (before, now) => before.scope.view === now.scope.view && isSameTable(before.table, now.table),
  );
}

/** Null for a host that no rule is for and that is no service. */
function contentOf(
  host: VirtualHost,
  { scope, table }: OwnedTable,
  inputs: ProxyInputs,
  context: Context,
): HostContent | null {
  const client = clientIn(scope, inputs, context);
  const { hostname, port, service } = host;
  const lists = rulesAt(host, { scope, listener: table.listener }, client);
  if (lists.length > 0) {
    return { kind: 'ruled', bytes: encodeVirtualHost(host, envoyRoutes(lists, port, client)) };
  }
  if (service === null) return null;
  const hash = hashOfService(service, '', port, client);
  const said = { hostname, port, domains: host.domains };
  const content = JSON.stringify([said, hash], (_key, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value,
  );
  return { kind: 'usual', content, host: said, hash };
}
