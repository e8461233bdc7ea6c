/** What sidecars are told of the services that their workloads call, as collections, by view. */
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import type { Collection } from '../../../collections/collection.ts';
import type { Graph } from '../../../collections/graph.ts';
import type { ClusterInputs } from '../../../ingest/cluster-inputs.ts';
import type { MeshCollections } from '../../mesh-collections.ts';
import { NO_MESH_CONFIG } from '../../mesh-config.ts';
import { namespacedHostname } from '../../mesh-service.ts';
import { namespaceOf, refTo } from '../../object.ts';
import { resource } from '../../resource.ts';
import { outboundCluster } from '../names.ts';
import { isSamePort, type WantedPort, wantedPort } from '../outbound/called-ports.ts';
import { encodedOnce, sameWanted, type Wanted } from '../outbound/encoded-once.ts';
import { encoded, isSameOwned, type OwnedResource, ownedBy } from '../owned-resource.ts';
import { l7Ports } from '../port-protocol.ts';
import { ALL_NAMESPACES, type EgressScope, egressScope, isSameScope } from './egress-scope.ts';
import { outboundListener, virtualOutbound } from './listeners.ts';
import {
  headlessPorts,
  type OutboundListener,
  outboundListeners,
  podListener,
  unknownCluster,
} from './outbound-listeners.ts';
import { isSameTable, type RouteTable, routeTables, type VirtualHost } from './outbound-routes.ts';
import { encodeRouteTable, encodeVirtualHost } from './routes.ts';
import type { OutboundView } from './views.ts';

export interface OutboundCollections {
  /** By view and cluster. */
  readonly ports: Collection<WantedPort>;
  readonly listeners: Collection<OwnedResource>;
  readonly routes: Collection<OwnedResource>;
}

interface Base {
  readonly graph: Graph;
  readonly mesh: MeshCollections;
  readonly scopes: Collection<EgressScope>;
}

export function outboundCollections(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
  views: Collection<OutboundView>,
): OutboundCollections {
  const servicesIn = graph.index('services by namespace', mesh.meshServices, (service) => [
    namespaceOf(service),
    ALL_NAMESPACES,
  ]);
  const scopes = graph.map(
    'egress scopes',
    views,
    (view, context) => {
      const sidecar =
        view.sidecar === null ? undefined : context.get(cluster.of('Sidecar'), view.sidecar);
      const { outboundTrafficPolicy } = context.get(mesh.meshConfig, '') ?? NO_MESH_CONFIG;
      const otherwise = outboundTrafficPolicy === 'ALLOW_ANY' ? 'passed' : 'refused';
      return egressScope(view, sidecar, (name) => context.lookup(servicesIn, name), otherwise);
    },
    isSameScope,
  );
  const base: Base = { graph, mesh, scopes };
  return {
    ports: portsOfScopes(base),
    listeners: graph.union('outbound listeners', virtualListeners(base), serviceListeners(base)),
    routes: routesOfScopes(base),
  };
}

function portsOfScopes({ graph, scopes }: Base): Collection<WantedPort> {
  return graph.flatMap(
    'ports in scopes',
    scopes,
    ({ view, services }) =>
      services.flatMap((service) =>
        l7Ports(service.ports).map((port): readonly [string, WantedPort] => [
          `${view.key} ${outboundCluster(port.port, service.hostname)}`,
          wantedPort(view.key, service, port, 'sidecar'),
        ]),
      ),
    isSamePort,
  );
}

function virtualListeners({ graph, scopes }: Base): Collection<OwnedResource> {
  return graph.flatMap(
    'virtual outbound listeners',
    scopes,
    (scope): readonly (readonly [string, OwnedResource])[] => {
      const listener = virtualOutbound(scope.view.wildcard, unknownCluster(scope));
      return [ownedBy(scope.view.key, encoded(ListenerSchema, listener, []))];
    },
    isSameOwned,
  );
}

type WantedListener = Wanted<OutboundListener>;

function wantedListener(
  owner: string,
  listener: OutboundListener,
): readonly [string, WantedListener] {
  const { sources, ...content } = listener;
  const wanted = {
    owner,
    content: JSON.stringify(content),
    value: { ...content, sources: [] },
    sources,
  };
  return [`${owner} ${listener.name}`, wanted];
}

function serviceListeners({ graph, mesh, scopes }: Base): Collection<OwnedResource> {
  const ofServices = graph.flatMap(
    'wanted listeners',
    scopes,
    (scope) =>
      Array.from(outboundListeners(scope).values(), (listener) =>
        wantedListener(scope.view.key, listener),
      ),
    sameWanted(),
  );
  const headless = graph.flatMap('headless ports in scopes', scopes, (scope) =>
    headlessPorts(scope).map((headless) => {
      const { service, port } = headless;
      const key = `${scope.view.key} ${namespacedHostname(service)} ${port.number}`;
      return [key, { view: scope.view, headless }] as const;
    }),
  );
  const ofPods = graph.flatMap(
    'wanted listeners of pods',
    headless,
    ({ view, headless: port }, context) => {
      const workloads = context.lookup(mesh.workloadsByService, namespacedHostname(port.service));
      return workloads.flatMap(
        ({
          value: {
            addresses: [address],
          },
        }) =>
          address === undefined || view.ownAddresses.includes(address)
            ? []
            : [wantedListener(view.key, podListener(port, address))],
      );
    },
  );
  const wanted = graph.union('all wanted listeners', ofServices, ofPods);
  return encodedOnce(graph, 'listeners of called services', wanted, (listener) =>
    encoded(ListenerSchema, outboundListener(listener), []),
  );
}

interface OwnedTable {
  readonly owner: string;
  readonly table: RouteTable;
}

function routesOfScopes({ graph, mesh, scopes }: Base): Collection<OwnedResource> {
  const tables = graph.flatMap(
    'route tables',
    scopes,
    (scope, context) => {
      const { clusterDomain } = context.get(mesh.settings, '')!;
      return Array.from(
        routeTables(scope, clusterDomain),
        ([name, table]): [string, OwnedTable] => [
          `${scope.view.key} ${name}`,
          { owner: scope.view.key, table },
        ],
      );
    },
    (before, now) => before.owner === now.owner && isSameTable(before.table, now.table),
  );
  const distinctHosts = graph.flatMap('virtual hosts, each once', tables, ({ table }) =>
    table.hosts.map((host): readonly [string, VirtualHost] => [contentOf(host), host]),
  );
  const hosts = graph.map(
    'virtual hosts',
    distinctHosts,
    encodeVirtualHost,
    (before, now) => Buffer.compare(before, now) === 0,
  );
  return graph.map(
    'routes of called services',
    tables,
    ({ owner, table }, context): OwnedResource => {
      const bytes = encodeRouteTable(
        table,
        table.hosts.map((host) => context.get(hosts, contentOf(host))!),
      );
      const sources = table.hosts.map(({ service }) => refTo(service));
      return { owner, resource: resource(table.name, null, bytes, sources) };
    },
    isSameOwned,
  );
}

/** Hosts with equal texts are the same. */
function contentOf({ service, port, domains }: VirtualHost): string {
  return JSON.stringify([namespacedHostname(service), port.number, domains]);
}
