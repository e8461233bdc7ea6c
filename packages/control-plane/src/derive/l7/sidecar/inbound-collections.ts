/** What sidecars are told of their own workloads, as collections, by view. */
import type { AuthorizationPolicy } from '@aquifer/model/resources';
import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import type { Context } from '../../../collections/cell.ts';
import type { Collection } from '../../../collections/collection.ts';
import type { Graph } from '../../../collections/graph.ts';
import type { ClusterInputs } from '../../../ingest/cluster-inputs.ts';
import type { MeshCollections } from '../../mesh-collections.ts';
import { settingsIn } from '../../mesh-settings.ts';
import { namespaceOf, refTo } from '../../object.ts';
import { inheritedPeerAuthentication, workloadTlsModes } from '../../peer-authentication.ts';
import { encoded, isSameOwned, type OwnedResource, ownedBy } from '../owned-resource.ts';
import { selectedPolicies } from '../selected-policies.ts';
import { inboundCluster } from './inbound-clusters.ts';
import { virtualInbound } from './inbound-listener.ts';
import { type InboundPort, inboundPorts } from './inbound-ports.ts';
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
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
  views: Collection<InboundView>,
): InboundCollections {
  const ports = graph.map('inbound ports', views, (view, context): PortsOfView => {
    const { clusterId } = settingsIn(mesh, context);
    const sidecar =
      view.sidecar === null ? undefined : context.get(cluster.of('Sidecar'), view.sidecar);
    const serviceAt = (key: string) => context.get(mesh.meshServices, `${clusterId}/${key}`);
    return { view, ports: inboundPorts(view, sidecar, serviceAt) };
  });
  const policies = graph.index(
    'authorization policies by namespace',
    cluster.of('AuthorizationPolicy'),
    (policy) => [namespaceOf(policy)],
  );
  return {
    clusters: graph.flatMap(
      'inbound clusters',
      ports,
      ({ view, ports: all }) =>
        all.map((port) => {
          const made = inboundCluster(port, view.wildcard);
          return ownedBy(view.key, encoded(ClusterSchema, made, [port.source]));
        }),
      isSameOwned,
    ),
    listeners: graph.flatMap(
      'inbound listeners',
      ports,
      (of, context): readonly (readonly [string, OwnedResource])[] => {
        const found = policiesOf(of.view, (name) => context.lookup(policies, name), mesh, context);
        return [inboundListener(of, found, mesh, context)];
      },
      isSameOwned,
    ),
  };
}

function policiesOf(
  { namespace, labels }: InboundView,
  policiesIn: (namespace: string) => readonly AuthorizationPolicy[],
  mesh: MeshCollections,
  context: Context,
): readonly AuthorizationPolicy[] {
  const { rootNamespace } = settingsIn(mesh, context);
  return selectedPolicies(policiesIn, { namespace, labels }, rootNamespace);
}

function inboundListener(
  { view, ports }: PortsOfView,
  policies: readonly AuthorizationPolicy[],
  mesh: MeshCollections,
  context: Context,
): readonly [string, OwnedResource] {
  const { rootNamespace, trustDomain } = settingsIn(mesh, context);
  const own = context.lookup(mesh.peerPolicies, view.namespace);
  const inherited = inheritedPeerAuthentication(
    context.lookup(mesh.peerPolicies, rootNamespace),
    own,
  );
  const tls = workloadTlsModes(view.labels, view.namespace === rootNamespace ? [] : own, inherited);
  const { wildcard } = view;
  const listener = virtualInbound({ wildcard, trustDomain, ports, tls, policies });
  const sources = [...ports.map(({ source }) => source), ...policies.map(refTo)];
  return ownedBy(view.key, encoded(ListenerSchema, listener, sources));
}
