/** What gateways are served, as collections, by view: those of one deployment share theirs. */
import { hash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Locality } from '@aquifer/model';
import type { Pod } from '@aquifer/model/resources';
import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import type { Context } from '../../../collections/cell.ts';
import type { Collection } from '../../../collections/collection.ts';
import { keyOf, objectKey } from '../../../ingest/cluster-inputs.ts';
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
import { type SecretReaders, secretCollections } from './secrets.ts';
import { sourceOfIstio, sourcesOfListeners } from './server-sources.ts';
import { type GatewayPort, type GatewayServer, gatewayPorts } from './servers.ts';

/** A gateway, and all that are like it. */
interface GatewayView {
  /** Made of all of it, and short: it is part of the key of each resource. */
  readonly key: string;
  readonly namespace: string;
  /** That it has proved, unless its pod runs under another; empty for none. */
  readonly account: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly locality: Locality | null;
  /** Those in front of it. */
  readonly services: readonly OwnService[];
  readonly wildcard: '0.0.0.0' | '::';
  /** Empty if it does not say. */
  readonly meshId: string;
}

export interface GatewayCollections {
  /** The view of each gateway that is connected, by the key of the proxy. */
  readonly views: Collection<GatewayView>;
  readonly clusters: Collection<OwnedResource>;
  readonly endpoints: Collection<OwnedResource>;
  readonly listeners: Collection<OwnedResource>;
  readonly routes: Collection<OwnedResource>;
  readonly secrets: Collection<OwnedResource>;
  /** Accounts of which it must be known whether they may read Secrets, `namespace/name`. */
  readonly secretAccounts: Collection<string>;
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

/** `nodes` are the proxies that are connected, by key. */
export function gatewayCollections(
  inputs: ProxyInputs,
  nodes: Collection<ProxyNode>,
  readers: SecretReaders,
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
  const wanted = calledPorts(inputs, scopes, 'router');
  const called = calledCollections(graph, mesh, wanted);
  const own = graph.flatMap(
    'own clusters of gateways',
    views,
    (view, context) =>
      proxyClusters(settingsIn(mesh, context).trustDomain).map((made) =>
        ownedBy(view.key, encoded(ClusterSchema, made, [])),
      ),
    isSameOwned,
  );
  const sources = graph.union(
    'servers of Gateways',
    graph.map('servers of Istio Gateways', cluster.of('IstioGateway'), sourceOfIstio),
    graph.flatMap('servers of listeners', routing.gatewayApi.gateways, (gateway, _context, key) =>
      sourcesOfListeners(gateway).map(
        (source) => [`${key} ${source.source.kind} ${keyOf(source)}`, source] as const,
      ),
    ),
  );
  const gateways = graph.index('Gateways', sources, () => ['']);
  const listening = graph.map(
    'ports of gateways',
    views,
    (view, context): Listening => ({
      view,
      ports: gatewayPorts(context.lookup(gateways, ''), view),
    }),
    isDeepStrictEqual,
  );
  const { secrets, accounts } = secretCollections({
    graph,
    cluster,
    readers,
    clients: views,
    portsOf: (context, key) => context.get(listening, key)?.ports ?? [],
    called: wanted,
  });
  return {
    views: byId,
    secrets,
    secretAccounts: accounts,
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
      account: isOfPod(node, pod) ? node.account : '',
      labels: { ...labelsOf(pod), ...node.labels },
      locality: node.locality ?? workload?.locality ?? null,
      services: Array.from(workload?.services ?? [], ([key, ports]) => ({ key, ports })).toSorted(
        (a, b) => (a.key < b.key ? -1 : 1),
      ),
      wildcard: node.addresses[0]?.includes(':') ? '::' : '0.0.0.0',
      meshId: node.meshId,
    } as const;
    return { ...view, key: `gateway ${hash('sha256', JSON.stringify(view))}` };
  });
}

/** One that says that it is a pod must have the account of the pod. */
function isOfPod({ account }: ProxyNode, pod: Pod | undefined): boolean {
  return pod === undefined || (pod.spec?.serviceAccountName ?? 'default') === account;
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
      const policies = [...security.policies, ...security.authentications].map(refTo);
      const sources = [...sourcesOf(port.servers), ...policies, ...telemetrySources];
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
  const all = servers.map(({ source }) => source);
  const key = ({ kind, namespace, name }: ObjectRef) => `${kind}/${namespace}/${name}`;
  return [...new Map(all.map((source) => [key(source), source])).values()];
}
