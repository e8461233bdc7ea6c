/** What sidecars are told of their own workloads, as collections, by view. */
import { type Cluster, ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import type { Context } from '../../../collections/cell.ts';
import type { Collection } from '../../../collections/collection.ts';
import { settingsIn } from '../../mesh-settings.ts';
import { refTo } from '../../object.ts';
import { inheritedPeerAuthentication, workloadTlsModes } from '../../peer-authentication.ts';
import { canonicalOf } from '../../telemetry/telemetry-lookups.ts';
import { MAIN_INTERNAL } from '../names.ts';
import { encoded, isSameOwned, type OwnedResource, ownedBy } from '../owned-resource.ts';
import { internalCluster } from '../tunnel-clusters.ts';
import { connectTerminate } from '../tunnel-listeners.ts';
import { type Security, workloadSecurity } from '../workload-security.ts';
import { inboundCluster } from './inbound-clusters.ts';
import { tunnelInbound, virtualInbound } from './inbound-listener.ts';
import { type InboundPort, inboundPorts } from './inbound-ports.ts';
import type { ProxyInputs } from './scope-inputs.ts';
import type { InboundView } from './views.ts';

export interface InboundCollections {
  readonly clusters: Collection<OwnedResource>;
  readonly listeners: Collection<OwnedResource>;
}

interface PortsOfView {
  readonly view: InboundView;
  readonly ports: readonly InboundPort[];
}

export function inboundCollections(
  inputs: ProxyInputs,
  views: Collection<InboundView>,
): InboundCollections {
  const { graph, cluster, mesh } = inputs;
  const ports = graph.map('inbound ports', views, (view, context): PortsOfView => {
    const { clusterId } = settingsIn(mesh, context);
    const sidecar =
      view.sidecar === null ? undefined : context.get(cluster.of('Sidecar'), view.sidecar);
    const serviceAt = (key: string) => context.get(mesh.meshServices, `${clusterId}/${key}`);
    return { view, ports: inboundPorts(view, sidecar, serviceAt) };
  });
  const securityOf = workloadSecurity(inputs);
  return {
    clusters: graph.flatMap(
      'inbound clusters',
      ports,
      ({ view, ports: all }) => [
        ...all.map((port) => {
          const made = inboundCluster(port, view.wildcard);
          return ownedBy(view.key, encoded(ClusterSchema, made, [port.source]));
        }),
        ...(view.inboundTunnels === 'hbone'
          ? [ownedBy(view.key, encoded(ClusterSchema, toItself(), []))]
          : []),
      ],
      isSameOwned,
    ),
    listeners: graph.flatMap(
      'inbound listeners',
      ports,
      (of, context) =>
        inboundListeners(of, securityOf({ ...of.view, gateway: null }, context), inputs, context),
      isSameOwned,
    ),
  };
}

/** The internal listener that tunnels end in. */
function toItself(): Cluster {
  return internalCluster(MAIN_INTERNAL, MAIN_INTERNAL);
}

function inboundListeners(
  { view, ports }: PortsOfView,
  { authentications, ...judges }: Security,
  { mesh, telemetryOf }: ProxyInputs,
  context: Context,
): (readonly [string, OwnedResource])[] {
  const { rootNamespace, trustDomain } = settingsIn(mesh, context);
  const own = context.lookup(mesh.peerPolicies, view.namespace);
  const inherited = inheritedPeerAuthentication(
    context.lookup(mesh.peerPolicies, rootNamespace),
    own,
  );
  const tls = workloadTlsModes(view.labels, view.namespace === rootNamespace ? [] : own, inherited);
  const { wildcard, addresses, namespace, labels, meshId } = view;
  const canonical = canonicalOf(labels);
  const { telemetry, telemetrySources } = telemetryOf(
    { namespace, labels, targets: [], canonical, meshId, role: 'sidecar', side: 'server' },
    context,
  );
  const scope = { wildcard, trustDomain, ports, tls, judges, telemetry };
  const listeners = [virtualInbound(scope)];
  if (view.inboundTunnels === 'hbone') {
    listeners.push(connectTerminate(trustDomain, telemetry), tunnelInbound(scope, addresses));
  }
  const owners = [...judges.policies, ...authentications];
  const sources = [...ports.map(({ source }) => source), ...owners.map(refTo), ...telemetrySources];
  return listeners.map((made) => ownedBy(view.key, encoded(ListenerSchema, made, sources)));
}
