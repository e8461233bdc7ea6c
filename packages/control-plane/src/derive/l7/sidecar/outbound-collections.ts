/** What sidecars are told of the services that their workloads call, as collections, by view. */
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import type { Context } from '../../../collections/cell.ts';
import type { Collection } from '../../../collections/collection.ts';
import { NO_MESH_CONFIG } from '../../mesh-config.ts';
import { namespacedHostname } from '../../mesh-service.ts';
import type { FoundTelemetry } from '../../telemetry/telemetry-lookups.ts';
import { outboundCluster } from '../names.ts';
import type { WantedPort } from '../outbound/called-ports.ts';
import { calledPorts } from '../outbound/called-services.ts';
import { encodedOnce, sameWanted, type Wanted } from '../outbound/encoded-once.ts';
import { encoded, isSameOwned, type OwnedResource, ownedBy } from '../owned-resource.ts';
import { ANY_NAMESPACE } from '../routing-lookups.ts';
import { type EgressScope, egressScope, isSameScope } from './egress-scope.ts';
import { outboundListener, type ToldListener, virtualOutbound } from './listeners.ts';
import {
  type ChainsOf,
  headlessPorts,
  type OutboundListener,
  outboundListeners,
  podListener,
  unknownCluster,
} from './outbound-listeners.ts';
import { routeCollection } from './route-collections.ts';
import { clientIn, clientTelemetry, type ProxyInputs, type ScopeInputs } from './scope-inputs.ts';
import { ownChain, routedChains } from './tcp-chains.ts';
import type { OutboundView } from './views.ts';
import { covering } from './virtual-services.ts';

export interface OutboundCollections {
  /** By view and cluster. */
  readonly ports: Collection<WantedPort>;
  readonly listeners: Collection<OwnedResource>;
  readonly routes: Collection<OwnedResource>;
}

export function outboundCollections(
  inputs: ProxyInputs,
  views: Collection<OutboundView>,
): OutboundCollections {
  const { graph } = inputs;
  const scopes = egressScopes(inputs, views);
  const scoped: ScopeInputs = { ...inputs, scopes };
  return {
    ports: calledPorts(inputs, scopes, 'sidecar'),
    listeners: graph.union(
      'outbound listeners',
      virtualListeners(scoped),
      serviceListeners(scoped),
    ),
    routes: routeCollection(scoped),
  };
}

/** What each view of the mesh holds. */
export function egressScopes(
  { graph, cluster, mesh, routing }: ProxyInputs,
  views: Collection<OutboundView>,
): Collection<EgressScope> {
  return graph.map(
    'egress scopes',
    views,
    (view, context) => {
      const sidecar =
        view.sidecar === null ? undefined : context.get(cluster.of('Sidecar'), view.sidecar);
      const { outboundTrafficPolicy } = context.get(mesh.meshConfig, '') ?? NO_MESH_CONFIG;
      const otherwise = outboundTrafficPolicy === 'ALLOW_ANY' ? 'passed' : 'refused';
      return egressScope(view, sidecar, (name) => routing.servicesIn(context, name), otherwise);
    },
    isSameScope,
  );
}

function virtualListeners(inputs: ScopeInputs): Collection<OwnedResource> {
  return inputs.graph.flatMap(
    'virtual outbound listeners',
    inputs.scopes,
    (scope, context): readonly (readonly [string, OwnedResource])[] => {
      const { view } = scope;
      const { telemetry, telemetrySources } = clientTelemetry(view, inputs, context);
      const listener = virtualOutbound(view.wildcard, unknownCluster(scope), telemetry);
      return [ownedBy(view.key, encoded(ListenerSchema, listener, telemetrySources))];
    },
    isSameOwned,
  );
}

type WantedListener = Wanted<ToldListener>;

function wantedListener(
  owner: string,
  listener: OutboundListener,
  { telemetry, telemetrySources }: FoundTelemetry,
): readonly [string, WantedListener] {
  const { sources: services, ...own } = listener;
  const said = { ...own, telemetry };
  const sources = [...services, ...telemetrySources];
  // Durations are made of bigints.
  const content = JSON.stringify(said, (_key, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value,
  );
  const wanted = { owner, content, value: { ...said, sources: [] }, sources };
  return [`${owner} ${listener.name}`, wanted];
}

/** What VirtualServices and DestinationRules say of connections in the scope. */
function chainsIn(scope: EgressScope, inputs: ProxyInputs, context: Context): ChainsOf {
  const client = clientIn(scope, inputs, context);
  return (service, port, listener) => {
    const { hostname } = service;
    const found = [
      ...inputs.routing.virtualServicesOf(context, ANY_NAMESPACE, hostname),
      ...inputs.routing.rawRoutesOf(context, ANY_NAMESPACE, hostname),
    ];
    const virtualServices = covering(found, hostname, { scope, listener }, client.mesh);
    const of = { service, port, virtualServices, client };
    return { routed: routedChains(of), own: ownChain(of, outboundCluster(port.number, hostname)) };
  };
}

function serviceListeners(inputs: ScopeInputs): Collection<OwnedResource> {
  const { graph, mesh, scopes } = inputs;
  const ofServices = graph.flatMap(
    'wanted listeners',
    scopes,
    (scope, context) => {
      const told = clientTelemetry(scope.view, inputs, context);
      const made = outboundListeners(scope, chainsIn(scope, inputs, context));
      return Array.from(made.values(), (listener) =>
        wantedListener(scope.view.key, listener, told),
      );
    },
    sameWanted(),
  );
  const headless = graph.flatMap('headless ports in scopes', scopes, (scope, context) => {
    const chainsOf = chainsIn(scope, inputs, context);
    return headlessPorts(scope).map((port) => {
      const key = `${scope.view.key} ${namespacedHostname(port.service)} ${port.port.number}`;
      const { own } = chainsOf(port.service, port.port, port.listener);
      return [key, { view: scope.view, port, chain: own }] as const;
    });
  });
  const ofPods = graph.flatMap(
    'wanted listeners of pods',
    headless,
    ({ view, port, chain }, context) => {
      const key = namespacedHostname(port.service);
      const workloads = context.lookup(mesh.workloadsByService, key);
      const told = clientTelemetry(view, inputs, context);
      return workloads.flatMap(
        ({
          value: {
            addresses: [address],
          },
        }) =>
          address === undefined || view.ownAddresses.includes(address)
            ? []
            : [wantedListener(view.key, podListener(port, address, chain), told)],
      );
    },
    sameWanted(),
  );
  const wanted = graph.union('all wanted listeners', ofServices, ofPods);
  return encodedOnce(graph, 'listeners of called services', wanted, (listener) =>
    encoded(ListenerSchema, outboundListener(listener), []),
  );
}
