/** What applications are served that speak gRPC and xDS by themselves, as clients (`GENERATOR: grpc`; ADR 50). */
import type { Collection } from '../../../collections/collection.ts';
import type { MeshService } from '../../mesh-service.ts';
import { settingsIn } from '../../mesh-settings.ts';
import { refTo } from '../../object.ts';
import { outboundCluster } from '../names.ts';
import { calledCollections } from '../outbound/called-ports.ts';
import { calledPorts } from '../outbound/called-services.ts';
import { isSameOwned, type OwnedResource, ownedBy } from '../owned-resource.ts';
import { type L7Port, l7Ports } from '../port-protocol.ts';
import type { EgressListener, EgressScope } from '../sidecar/egress-scope.ts';
import { envoyRoutes, hashOfService, rulesAt } from '../sidecar/host-routes.ts';
import { egressScopes } from '../sidecar/outbound-collections.ts';
import { namesOf } from '../sidecar/outbound-routes.ts';
import { defaultRoute } from '../sidecar/routes.ts';
import { clientIn, type ProxyInputs } from '../sidecar/scope-inputs.ts';
import type { OutboundView, SidecarViews } from '../sidecar/views.ts';
import { grpcListener } from './listener.ts';
import { grpcRoutes } from './route.ts';

export interface GrpcCollections {
  readonly clusters: Collection<OwnedResource>;
  readonly endpoints: Collection<OwnedResource>;
  readonly listeners: Collection<OwnedResource>;
  readonly routes: Collection<OwnedResource>;
}

/** A port of a service, as a listener of a Sidecar shows it. */
interface SeenPort {
  readonly scope: EgressScope;
  readonly listener: EgressListener;
  readonly service: MeshService;
  readonly port: L7Port;
}

/** `views` are those of all proxies that are connected. */
export function grpcCollections(
  inputs: ProxyInputs,
  views: Collection<SidecarViews>,
): GrpcCollections {
  const { graph, mesh } = inputs;
  const clients = graph.flatMap<SidecarViews, OutboundView>(
    'views of gRPC clients',
    views,
    ({ outbound }) => (outbound.client === 'grpc' ? [[outbound.key, outbound]] : []),
  );
  const scopes = egressScopes(inputs, clients);
  const ports = graph.flatMap(
    'ports that gRPC clients see',
    scopes,
    (scope) => seenPorts(scope).map((seen) => [`${scope.view.key} ${tableOf(seen)}`, seen]),
    isSameSeen,
  );
  const listeners = graph.flatMap(
    'listeners of gRPC clients',
    ports,
    (seen, context) => {
      const { clusterDomain } = settingsIn(mesh, context);
      const { view } = seen.scope;
      const { hostname } = seen.service;
      return namesOf(hostname, view.namespace, clusterDomain).map((name) => {
        const asked = `${name}:${seen.port.port}`;
        return ownedBy(view.key, grpcListener(asked, tableOf(seen), [refTo(seen.service)]));
      });
    },
    isSameOwned,
  );
  const routes = graph.map(
    'routes of gRPC clients',
    ports,
    (seen, context): OwnedResource => {
      const { scope, listener, service, port } = seen;
      const { hostname } = service;
      const client = clientIn(scope, inputs, context);
      const lists = rulesAt({ hostname, port: port.port, service }, { scope, listener }, client);
      const usual = (): ReturnType<typeof defaultRoute> =>
        defaultRoute({ hostname, port: port.port }, hashOfService(service, '', port.port, client));
      const made = lists.length > 0 ? envoyRoutes(lists, port.port, client) : [usual()];
      const table = grpcRoutes(tableOf(seen), made, [refTo(service)]);
      return { owner: scope.view.key, resource: table };
    },
    isSameOwned,
  );
  return {
    ...calledCollections(graph, mesh, calledPorts(inputs, scopes, 'grpc')),
    listeners,
    routes,
  };
}

function seenPorts(scope: EgressScope): SeenPort[] {
  return scope.listeners.flatMap((listener) =>
    listener.services.flatMap((service) =>
      l7Ports(service.ports).map((port) => ({ scope, listener, service, port })),
    ),
  );
}

/** A table of routes has the name of the cluster that it leads to without rules. */
function tableOf({ service, port }: SeenPort): string {
  return outboundCluster(port.port, service.hostname);
}

function isSameSeen(before: SeenPort, now: SeenPort): boolean {
  return (
    before.service === now.service &&
    before.scope.view === now.scope.view &&
    before.listener === now.listener &&
    before.port.port === now.port.port
  );
}
