/** VirtualServices as sidecars follow them: which one a host has, and what they add to a scope (spec l7 1.1, 1.2, 1.16). */
import type { VirtualService } from '@aquifer/model/resources';
import type { MeshSettings } from '../../mesh.ts';
import { byAge, namespaceOf } from '../../object.ts';
import { isExportedTo } from '../../routing/exports.ts';
import { hostCovers } from '../../routing/hosts.ts';
import { hostsOf, isForMesh } from '../../routing/virtual-service-index.ts';
import { type EgressListener, type EgressScope, isListed } from './egress-scope.ts';

type Names = Pick<MeshSettings, 'clusterDomain'>;

/** Those that sidecars of the scope follow, the oldest first. */
function followed(
  found: readonly VirtualService[],
  { view }: EgressScope,
): readonly VirtualService[] {
  return found
    .filter((service) => isForMesh(service) && isExportedTo(service, view.namespace))
    .toSorted(byAge);
}

/** Of those that cover the host, as a listener sees it: the closest host first, then the oldest. */
export function covering(
  found: readonly VirtualService[],
  hostname: string,
  { scope, listener }: { readonly scope: EgressScope; readonly listener: EgressListener },
  mesh: Names,
): readonly VirtualService[] {
  const closeness = new Map<VirtualService, number>();
  for (const service of followed(found, scope)) {
    const hosts = hostsOf(service, mesh).filter(
      (host) => hostCovers(host, hostname) && isListed(listener, namespaceOf(service), host),
    );
    if (hosts.length > 0) closeness.set(service, Math.max(...hosts.map(closenessOf)));
  }
  return [...closeness.keys()].toSorted((a, b) => closeness.get(b)! - closeness.get(a)!);
}

function closenessOf(host: string): number {
  return host.startsWith('*') ? host.length : Number.POSITIVE_INFINITY;
}

/** Hosts of VirtualServices that no service of the scope has, each with the namespace of the oldest that has it. */
export function otherHosts(
  all: readonly VirtualService[],
  scope: EgressScope,
  mesh: Names,
): readonly string[] {
  const listeners = scope.listeners.filter(({ port }) => port === null);
  const names = scope.services.map(({ hostname }) => hostname);
  const known = new Set(names);
  const hosts = followed(all, scope).flatMap((service) =>
    hostsOf(service, mesh).filter((host) =>
      listeners.some((listener) => isListed(listener, namespaceOf(service), host)),
    ),
  );
  const others = [...new Set(hosts)].filter(
    (host) => !known.has(host) && !names.some((name) => hostCovers(host, name)),
  );
  return others.toSorted();
}
