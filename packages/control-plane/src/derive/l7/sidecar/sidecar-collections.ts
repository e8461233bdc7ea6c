/** What sidecars are served, as collections, by view: Envoy's clusters, endpoints, listeners and routes. */
import type { DestinationRule, DestinationRulePolicy } from '@aquifer/model/resources';
import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import type { Collection, Index } from '../../../collections/collection.ts';
import type { Graph } from '../../../collections/graph.ts';
import { type ClusterInputs, objectKey } from '../../../ingest/cluster-inputs.ts';
import { meshServiceKey } from '../../mesh-service.ts';
import { settingsIn } from '../../mesh-settings.ts';
import { namespaceOf } from '../../object.ts';
import { selectorOf } from '../../telemetry/applicable.ts';
import { asksForSpans, CANONICAL_LABELS } from '../../telemetry/telemetry-lookups.ts';
import { podUid } from '../../workloads.ts';
import { calledCollections } from '../outbound/called-ports.ts';
import { localitySettings } from '../outbound/localities.ts';
import { encoded, isSameOwned, type OwnedResource, ownedBy } from '../owned-resource.ts';
import type { ProxyNode } from '../proxy-node.ts';
import { connectOriginateListener } from '../tunnel-listeners.ts';
import { inboundCollections } from './inbound-collections.ts';
import { outboundCollections } from './outbound-collections.ts';
import { inboundPassthrough, passthrough, proxyClusters } from './own-clusters.ts';
import { clientTelemetry, type ProxyInputs } from './scope-inputs.ts';
import { type InboundView, type OutboundView, type SidecarViews, viewsOf } from './views.ts';

export interface SidecarCollections {
  /** The views of each sidecar and gRPC client that is connected, by the key of the proxy. */
  readonly views: Collection<SidecarViews>;
  readonly clusters: Collection<OwnedResource>;
  readonly endpoints: Collection<OwnedResource>;
  readonly listeners: Collection<OwnedResource>;
  readonly routes: Collection<OwnedResource>;
}

/** `nodes` are the proxies that are connected, by key. */
export function sidecarCollections(
  inputs: ProxyInputs,
  nodes: Collection<ProxyNode>,
): SidecarCollections {
  const { graph, mesh } = inputs;
  const views = sidecarViews(inputs, nodes);
  const outboundViews = graph.flatMap<SidecarViews, OutboundView>(
    'outbound views',
    views,
    ({ outbound }) => (outbound.client === 'sidecar' ? [[outbound.key, outbound]] : []),
  );
  const inboundViews = graph.flatMap<SidecarViews, InboundView>(
    'inbound views',
    views,
    ({ inbound }) => (inbound.client === 'sidecar' ? [[inbound.key, inbound]] : []),
  );
  const outbound = outboundCollections(inputs, outboundViews);
  const inbound = inboundCollections(inputs, inboundViews);
  const called = calledCollections(graph, mesh, outbound.ports);
  const ownClusters = graph.flatMap(
    'own clusters of sidecars',
    outboundViews,
    (view, context) => {
      const { trustDomain } = settingsIn(mesh, context);
      return [...proxyClusters(trustDomain), passthrough(), inboundPassthrough(view.wildcard)].map(
        (made) => ownedBy(view.key, encoded(ClusterSchema, made, [])),
      );
    },
    isSameOwned,
  );
  const ownListeners = graph.flatMap(
    'own listeners of sidecars',
    outboundViews,
    (view, context): readonly (readonly [string, OwnedResource])[] => {
      const { telemetry, telemetrySources } = clientTelemetry(view, inputs, context);
      const listener = connectOriginateListener(telemetry);
      return [ownedBy(view.key, encoded(ListenerSchema, listener, telemetrySources))];
    },
    isSameOwned,
  );
  return {
    views,
    clusters: graph.union('sidecar clusters', ownClusters, called.clusters, inbound.clusters),
    endpoints: called.endpoints,
    listeners: graph.union(
      'sidecar listeners',
      ownListeners,
      outbound.listeners,
      inbound.listeners,
    ),
    routes: outbound.routes,
  };
}

function sidecarViews(inputs: ProxyInputs, nodes: Collection<ProxyNode>): Collection<SidecarViews> {
  const { graph, cluster, mesh } = inputs;
  const choosing = choosingLabels(inputs);
  const asked = localityRules(graph, cluster);
  const sidecars = graph.index('Sidecars by namespace', cluster.of('Sidecar'), (sidecar) => [
    namespaceOf(sidecar),
  ]);
  return graph.map('views of sidecars', nodes, (node, context) => {
    if (node.type === 'router') return null;
    const settings = settingsIn(mesh, context);
    const { namespace, podName } = node;
    const uid = podUid(settings, { metadata: { namespace, name: podName } });
    const workload = context.get(mesh.workloads, uid)?.value;
    return viewsOf(node, node.type, {
      pod: context.get(cluster.of('Pod'), objectKey(namespace, podName)),
      locality: workload?.locality ?? null,
      services: workload?.services ?? new Map(),
      sidecars: context.lookup(sidecars, namespace),
      rootSidecars: context.lookup(sidecars, settings.rootNamespace),
      choosingLabels: context.lookup(choosing, ''),
      localities: context.get(asked, '') === undefined ? 'ignored' : 'asked',
      service: (key) => {
        const slash = key.indexOf('/');
        const name = meshServiceKey(settings, key.slice(0, slash), key.slice(slash + 1));
        return context.get(mesh.meshServices, name);
      },
    });
  });
}

/** Names of labels by which VirtualServices, DestinationRules and Telemetries choose clients, or that these tell: no other label tells views apart. */
function choosingLabels({ graph, cluster, mesh }: ProxyInputs): Index<string> {
  const named = (labels: Readonly<Record<string, string>> = {}) =>
    Object.keys(labels).map((name) => [name, name] as const);
  const inRoutes = graph.flatMap(
    'labels of clients in VirtualServices',
    cluster.of('VirtualService'),
    ({ spec }) => {
      const routes = [...(spec?.http ?? []), ...(spec?.tls ?? []), ...(spec?.tcp ?? [])];
      const blocks = routes.flatMap(({ match = [] }) => match);
      return blocks.flatMap(({ sourceLabels }) => named(sourceLabels));
    },
  );
  const inRules = graph.flatMap(
    'labels of clients in DestinationRules',
    cluster.of('DestinationRule'),
    ({ spec }) => [
      ...named(spec?.workloadSelector?.matchLabels),
      ...policiesOf(spec).flatMap(({ loadBalancer }) =>
        (loadBalancer?.localityLbSetting?.failoverPriority ?? []).map(
          (name) => [name, name] as const,
        ),
      ),
    ],
  );
  const inTelemetries = graph.flatMap(
    'labels of clients in Telemetries',
    cluster.of('Telemetry'),
    (telemetry) => [
      ...named(selectorOf(telemetry)),
      ...(asksForSpans([telemetry]) ? TOLD_LABELS : []),
    ],
  );
  const inMesh = graph.flatMap('labels that spans tell', mesh.settings, ({ telemetry }) =>
    telemetry.defaultProviders.tracing.length > 0 ? TOLD_LABELS : [],
  );
  const all = graph.union('labels of clients', inRoutes, inRules, inTelemetries, inMesh);
  return graph.index('all labels of clients', all, () => ['']);
}

const TOLD_LABELS = Object.values(CANONICAL_LABELS).map((name) => [name, name] as const);

type RuleSpec = DestinationRule['spec'];

function policiesOf(spec: RuleSpec): readonly DestinationRulePolicy[] {
  const subsets = (spec?.subsets ?? []).map(({ trafficPolicy }) => trafficPolicy);
  const found = [spec?.trafficPolicy, ...subsets].filter((policy) => policy !== undefined);
  return found.flatMap((policy) => [policy, ...(policy.portLevelSettings ?? [])]);
}

/** One entry, if any rule looks at where clients are. */
function localityRules(graph: Graph, cluster: ClusterInputs): Collection<true> {
  return graph.flatMap('rules of localities', cluster.of('DestinationRule'), ({ spec }) =>
    policiesOf(spec).some((policy) => localitySettings(policy) !== null) ? [['', true]] : [],
  );
}
