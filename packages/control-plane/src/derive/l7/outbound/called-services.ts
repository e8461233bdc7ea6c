import type { Collection } from '../../../collections/collection.ts';
import { type MeshService, namespacedHostname } from '../../mesh-service.ts';
import type { ProxyNode } from '../proxy-node.ts';
import type { ProxyInputs } from '../sidecar/scope-inputs.ts';
import type { OutboundView } from '../sidecar/views.ts';
import { isSamePort, type WantedPort, wantedPorts } from './called-ports.ts';

type Client = Pick<OutboundView, 'key' | 'namespace' | 'labels' | 'locality'>;

/** What a client sees. */
interface Scope {
  readonly view: Client;
  /** One for each hostname. */
  readonly services: readonly MeshService[];
}

interface Member {
  readonly view: Client;
  readonly service: MeshService;
}

/** The clusters of all services in the scopes, by view and cluster name. */
export function calledPorts(
  { graph, routing }: Pick<ProxyInputs, 'graph' | 'routing'>,
  scopes: Collection<Scope>,
  role: ProxyNode['type'],
): Collection<WantedPort> {
  const members = graph.flatMap(
    `services that a ${role} sees`,
    scopes,
    ({ view, services }) =>
      services.map((service): readonly [string, Member] => [
        `${view.key} ${namespacedHostname(service)}`,
        { view, service },
      ]),
    (before, now) => before.view === now.view && before.service === now.service,
  );
  return graph.flatMap(
    `ports that a ${role} calls`,
    members,
    ({ view, service }, context) => {
      const { key, labels, locality } = view;
      const place = locality === null ? null : { locality, labels };
      return wantedPorts({ key, role, place }, service, routing.trafficOf(context, view, service));
    },
    isSamePort,
  );
}
