import { cidrContains, type Service } from '@aquifer/model';

/** Whether callers of a namespace may use the service. */
function isVisible(service: Service, clientNamespace: string): boolean {
  return service.visibility === 'public' || service.namespace === clientNamespace;
}

/**
 * The service that a caller of the namespace means by a name or an address that several have (spec ztunnel 3.3): its own
 * namespace's, else the canonical one that came last, else the first. Candidates are given in the order they came in.
 */
export function pickService(
  candidates: readonly Service[],
  clientNamespace: string,
): Service | null {
  const visible = candidates.filter((service) => isVisible(service, clientNamespace));
  return (
    visible.find((service) => service.namespace === clientNamespace) ??
    visible.findLast((service) => service.canonical) ??
    visible[0] ??
    null
  );
}

interface RangeQuery {
  readonly network: string;
  readonly ip: string;
  readonly clientNamespace: string;
}

/** The best of the services with a range that holds the address; the first of equals. */
export function pickByRange(candidates: readonly Service[], query: RangeQuery): Service | null {
  let best: Service | null = null;
  let bestRank = -1;
  for (const service of candidates) {
    if (!isVisible(service, query.clientNamespace)) continue;
    const rank = rangeRank(service, query);
    if (rank <= bestRank) continue;
    best = service;
    bestRank = rank;
  }
  return best;
}

/** In the client's namespace, then the longest prefix, then canonical (spec ztunnel 3.3); -1 if no range fits. */
function rangeRank(service: Service, { network, ip, clientNamespace }: RangeQuery): number {
  let longest = -1;
  for (const range of service.addresses) {
    const { address, prefixLength } = range;
    if (prefixLength === null || prefixLength <= longest || range.network !== network) continue;
    if (cidrContains({ address, prefixLength }, ip)) longest = prefixLength;
  }
  if (longest < 0) return -1;
  const isLocal = service.namespace === clientNamespace;
  return (isLocal ? 1024 : 0) + longest * 2 + (service.canonical ? 1 : 0);
}
