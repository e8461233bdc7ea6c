/** What gateways are served, as collections, by view: those of one deployment share theirs. */
import { isDeepStrictEqual } from 'node:util';
import type { Locality } from '@aquifer/model';
import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import type { Context } from '../../../collections/cell.ts';
import type { Collection } from '../../../collections/collection.ts';
import { objectKey } from '../../../ingest/cluster-inputs.ts';
import type { ObjectRef } from '../../../ingest/kinds.ts';
import { GATEWAY_NAME_LABEL } from '../../labels.ts';
import type { MeshService } from '../../mesh-service.ts';
import { settingsIn } from '../../mesh-settings.ts';
import { labelsOf, refTo } from '../../object.ts';
import { resource } from '../../resource.ts';
import { sourceKey } from '../../service-collections.ts';
import { canonicalOf, type FoundTelemetry } from '../../telemetry/telemetry-lookups.ts';
import { podUid } from '../../workloads.ts';
import { calledCollections } from '../outbound/called-ports.ts';
import { calledPorts } from '../outbound/called-services.ts';
import { encoded, isSameOwned, type OwnedResource, ownedBy } from '../owned-resource.ts';
import type { ProxyNode } from '../proxy-node.ts';
import { visibleServices } from '../sidecar/egress-scope.ts';
import type { RouteClient } from '../sidecar/host-routes.ts';
import { proxyClusters } from '../sidecar/own-clusters.ts';
import type { ProxyInputs } from '../sidecar/scope-inputs.ts';
import type { OwnService } from '../sidecar/views.ts';
import { connectOriginateListener } from '../tunnel-listeners.ts';
import { workloadSecurity } from '../workload-security.ts';
import { gatewayListener } from './listeners.ts';
import { gatewayRoutes } from './routes.ts';
import { type GatewayPort, type GatewayServer, gatewayPorts } from './servers.ts';

/** A gateway, and all that are like it. */
interface GatewayView {
  /** All of it as text. */
  readonly key: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly locality: Locality | null;
  /** Those in front of it. */
  readonly services: readonly OwnService[];
  readonly wildcard: '0.0.0.0' | '::';
  /** Empty if it does not say. */
  readonly meshId: string;
}

export interface GatewayCollections {
  /** The view of each gateway that is connected, by its id. */
  readonly views: Collection<GatewayView>;
  readonly clusters: Collection<OwnedResource>;
  readonly endpoints: Collection<OwnedResource>;
  readonly listeners: Collection<OwnedResource>;
  readonly routes: Collection<OwnedResource>;
}

interface GatewayScope {
  readonly view: GatewayView;
  readonly services: readonly MeshService[];
}

interface Listening {
  readonly view: GatewayView;
  readonly ports: readonly GatewayPort[];
}

interface Table {
  readonly view: GatewayView;
  readonly name: string;
  readonly servers: readonly GatewayServer[];
}

/** `nodes` are the proxies that are connected, by id. */
export function gatewayCollections(
  inputs: ProxyInputs,
  nodes: Collection<ProxyNode>,
): GatewayCollections {
  const { graph, cluster, mesh, routing } = inputs;
  const byId = gatewayViews(inputs, nodes);
  const views = graph.flatMap<GatewayView, GatewayView>('gateway views', byId, (view) => [
    [view.key, view],
  ]);
  const scopes = graph.map(
    'services of gateways',
    views,
    (view, context): GatewayScope => {
      const servicesIn = (namespace: string) => routing.servicesIn(context, namespace);
      return { view, services: visibleServices(view.namespace, servicesIn) };
    },
    isSameScope,
  );
  const called = calledCollections(graph, mesh, calledPorts(inputs, scopes, 'router'));
  const own = graph.flatMap(
    'own clusters of gateways',
    views,
    (view, context) =>
      proxyClusters(settingsIn(mesh, context).trustDomain).map((made) =>
        ownedBy(view.key, encoded(ClusterSchema, made, [])),
      ),
    isSameOwned,
  );
  const gateways = graph.index('Gateways', cluster.of('IstioGateway'), () => ['']);
  const listening = graph.map(
    'ports of gateways',
    views,
    (view, context): Listening => ({
      view,
      ports: gatewayPorts(context.lookup(gateways, ''), view),
    }),
    isDeepStrictEqual,
  );
  return {
    views: byId,
    clusters: graph.union('gateway clusters', own, called.clusters),
    endpoints: called.endpoints,
    listeners: listenersOf(inputs, views, listening),
    routes: routesOf(inputs, listening),
  };
}

function isSameScope(before: GatewayScope, now: GatewayScope): boolean {
  return (
    before.view === now.view &&
    before.services.length === now.services.length &&
    before.services.every((service, index) => service === now.services[index])
  );
}

function gatewayViews(
  { graph, cluster, mesh }: ProxyInputs,
  nodes: Collection<ProxyNode>,
): Collection<GatewayView> {
  return graph.map('views of gateways', nodes, (node, context) => {
    if (node.type !== 'router') return null;
    const { namespace, podName } = node;
    const pod = context.get(cluster.of('Pod'), objectKey(namespace, podName));
    const uid = podUid(settingsIn(mesh, context), { metadata: { namespace, name: podName } });
    const workload = context.get(mesh.workloads, uid)?.value;
    const view = {
      namespace,
      labels: { ...labelsOf(pod), ...node.labels },
      locality: node.locality ?? workload?.locality ?? null,
      services: Array.from(workload?.services ?? [], ([key, ports]) => ({ key, ports })).toSorted(
        (a, b) => (a.key < b.key ? -1 : 1),
      ),
      wildcard: node.addresses[0]?.includes(':') ? '::' : '0.0.0.0',
      meshId: node.meshId,
    } as const;
    return { ...view, key: `gateway ${JSON.stringify(view)}` };
  });
}

function clientAt(
  view: GatewayView,
  { mesh, routing }: ProxyInputs,
  context: Context,
): RouteClient {
  return { view, mesh: settingsIn(mesh, context), routing, context };
}

/** Gateways tell as those who ask. */
function gatewayTelemetry(
  { namespace, labels, meshId }: GatewayView,
  { telemetryOf }: Pick<ProxyInputs, 'telemetryOf'>,
  context: Context,
): FoundTelemetry {
  const name = labels[GATEWAY_NAME_LABEL];
  const targets = name === undefined ? [] : [sourceKey('Gateway', namespace, name)];
  const whose = { namespace, labels, targets, canonical: canonicalOf(labels), meshId };
  return telemetryOf({ ...whose, role: 'router', side: 'client' }, context);
}

function listenersOf(
  inputs: ProxyInputs,
  views: Collection<GatewayView>,
  listening: Collection<Listening>,
): Collection<OwnedResource> {
  const { graph } = inputs;
  const securityOf = workloadSecurity(inputs);
  const own = graph.flatMap(
    'own listeners of gateways',
    views,
    (view, context) => {
      const { telemetry, telemetrySources } = gatewayTelemetry(view, inputs, context);
      const listener = connectOriginateListener(telemetry);
      return [ownedBy(view.key, encoded(ListenerSchema, listener, telemetrySources))];
    },
    isSameOwned,
  );
  const ports = graph.flatMap(
    'ports of gateways, each',
    listening,
    ({ view, ports: all }) =>
      all.map((port) => [`${view.key} ${port.address} ${port.number}`, { view, port }] as const),
    isDeepStrictEqual,
  );
  const ofServers = graph.flatMap(
    'listeners of servers',
    ports,
    ({ view, port }, context): readonly (readonly [string, OwnedResource])[] => {
      const { namespace, labels } = view;
      const gateway = labels[GATEWAY_NAME_LABEL] ?? null;
      const security = securityOf({ namespace, labels, gateway }, context);
      const { telemetry, telemetrySources } = gatewayTelemetry(view, inputs, context);
      const client = { ...clientAt(view, inputs, context), judges: security, telemetry };
      const listener = gatewayListener(port, client);
      if (listener === null) return [];
      const judges = [...security.policies, ...security.authentications].map(refTo);
      const sources = [...sourcesOf(port.servers), ...judges, ...telemetrySources];
      return [ownedBy(view.key, encoded(ListenerSchema, listener, sources))];
    },
    isSameOwned,
  );
  return graph.union('gateway listeners', own, ofServers);
}

function routesOf(
  inputs: ProxyInputs,
  listening: Collection<Listening>,
): Collection<OwnedResource> {
  const tables = inputs.graph.flatMap<Listening, Table>(
    'route tables of gateways',
    listening,
    ({ view, ports }) =>
      Array.from(tablesOf(ports), ([name, servers]) => [
        `${view.key} ${name}`,
        { view, name, servers },
      ]),
    isDeepStrictEqual,
  );
  return inputs.graph.map(
    'routes of gateways',
    tables,
    ({ view, name, servers }, context): OwnedResource => {
      const bytes = gatewayRoutes(name, servers, clientAt(view, inputs, context));
      return { owner: view.key, resource: resource(name, null, bytes, sourcesOf(servers)) };
    },
    isSameOwned,
  );
}

/** A server that is listened on twice has one table. */
function tablesOf(ports: readonly GatewayPort[]): ReadonlyMap<string, readonly GatewayServer[]> {
  const tables = new Map<string, readonly GatewayServer[]>();
  for (const { servers } of ports) {
    for (const [name, ofTable] of Map.groupBy(servers, ({ routes }) => routes)) {
      if (name !== null) tables.set(name, ofTable);
    }
  }
  return tables;
}

function sourcesOf(servers: readonly GatewayServer[]): ObjectRef[] {
  return [...new Set(servers.map(({ gateway }) => gateway))].map((key) => {
    const slash = key.indexOf('/');
    return { kind: 'Gateway', namespace: key.slice(0, slash), name: key.slice(slash + 1) };
  });
}
