import type { WorkloadView } from '@aquifer/control-plane-client/snapshot';
import type { RoutingScope, Service, ServicePort, Workload } from '@aquifer/model';
import { serviceKey } from '@aquifer/model';

/** A workload that can take the connection, and the port it serves it on. */
export interface ChosenEndpoint {
  readonly workload: Workload;
  readonly port: number;
}

export interface EndpointRequest {
  readonly source: Workload;
  readonly port: number;
  /** In waypoint mode the service need not list the port if the workload takes an application tunnel. */
  readonly mode: 'standard' | 'waypoint';
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Uids of workloads to take only if there is no other. */
  readonly avoid: ReadonlySet<string>;
}

interface Candidate extends ChosenEndpoint {
  readonly rank: number;
}

/** Picks an endpoint of a service by locality and weight (spec ztunnel 3.4); null if none can take it. */
export function chooseEndpoint(
  view: WorkloadView,
  service: Service,
  request: EndpointRequest,
): ChosenEndpoint | null {
  const servicePort = service.ports.find(({ servicePort }) => servicePort === request.port);
  if (servicePort === undefined && request.mode === 'standard') return null;
  const candidates: Candidate[] = [];
  const wanted = { service, key: serviceKey(service), request, servicePort: servicePort ?? null };
  for (const workload of view.endpoints(wanted.key)) {
    const candidate = toCandidate(workload, wanted);
    if (candidate !== null) candidates.push(candidate);
  }
  const fresh = candidates.filter(({ workload }) => !request.avoid.has(workload.uid));
  const eligible = fresh.length > 0 ? fresh : candidates;
  return pickWeighted(keepBestRanked(eligible), request.random);
}

interface Wanted {
  readonly service: Service;
  readonly key: string;
  readonly request: EndpointRequest;
  /** Null if the service does not list the port, which only a waypoint may have. */
  readonly servicePort: ServicePort | null;
}

function toCandidate(workload: Workload, wanted: Wanted): Candidate | null {
  const { service, request } = wanted;
  if (!isUsable(workload, service, request.source)) return null;
  const port = portOf(workload, wanted);
  if (port === 0) return null;
  const rank = localityRank(service, request.source, workload);
  return rank === null ? null : { workload, port, rank };
}

/** The endpoint's own mapping, else the service's, else what an application tunnel takes; 0 if there is none. */
function portOf(
  { applicationTunnel, services }: Workload,
  { key, request, servicePort: listed }: Wanted,
): number {
  if (listed === null && applicationTunnel === null) return 0;
  const ports = services.get(key);
  const own = ports?.find(({ servicePort }) => servicePort === request.port)?.targetPort ?? 0;
  const tunnel = (applicationTunnel?.port ?? 0) > 0 ? request.port : 0;
  return own || listed?.targetPort || tunnel;
}

function isUsable(
  { addresses, hostname, network, networkGateway, status }: Workload,
  service: Service,
  source: Workload,
): boolean {
  const isBehindGateway = network !== source.network && networkGateway !== null;
  if (addresses.length === 0 && hostname === '' && !isBehindGateway) return false;
  return status === 'healthy' || service.loadBalancing?.healthPolicy === 'allow-all';
}

/**
 * How many preferred scopes match, in order, until the first mismatch; null if a strict service excludes it. A network
 * that is preferred first outweighs all the others together, and one that differs does not end the count.
 */
function localityRank(service: Service, source: Workload, candidate: Workload): number | null {
  const { loadBalancing } = service;
  if (loadBalancing === null) return 0;
  const { mode, routingPreference } = loadBalancing;
  if (mode !== 'strict' && mode !== 'failover') return 0;
  const matches = (scope: RoutingScope) =>
    scopeValue(scope, source) === scopeValue(scope, candidate);
  if (mode === 'strict') return routingPreference.every(matches) ? 0 : null;
  const isNetworkFirst = routingPreference[0] === 'network';
  const scopes = isNetworkFirst ? routingPreference.slice(1) : routingPreference;
  const mismatch = scopes.findIndex((scope) => !matches(scope));
  const matched = mismatch < 0 ? scopes.length : mismatch;
  return isNetworkFirst && matches('network') ? routingPreference.length + matched : matched;
}

function scopeValue(scope: RoutingScope, workload: Workload): string {
  switch (scope) {
    case 'region':
    case 'zone':
    case 'subzone':
      return workload.locality?.[scope] ?? '';
    case 'node':
      return workload.node;
    case 'cluster':
      return workload.clusterId;
    case 'network':
      return workload.network;
  }
}

function keepBestRanked(candidates: readonly Candidate[]): readonly Candidate[] {
  const best = Math.max(...candidates.map(({ rank }) => rank));
  return candidates.filter(({ rank }) => rank === best);
}

function pickWeighted(candidates: readonly Candidate[], random: () => number): Candidate | null {
  const total = candidates.reduce((sum, { workload }) => sum + workload.capacity, 0);
  if (total === 0) return null;
  let left = random() * total;
  for (const candidate of candidates) {
    left -= candidate.workload.capacity;
    if (left < 0) return candidate;
  }
  return candidates.at(-1) ?? null;
}

/** The address of a workload to dial: the one aimed at, else one of the same family that the service allows. */
export function chooseAddress(
  workload: Workload,
  aimedAt: string,
  service: Service | null,
): string | null {
  if (workload.addresses.includes(aimedAt)) return aimedAt;
  const isV6 = (ip: string) => ip.includes(':');
  const allowed = workload.addresses.filter((ip) => {
    if (service?.ipFamilies === 'ipv4-only') return !isV6(ip);
    if (service?.ipFamilies === 'ipv6-only') return isV6(ip);
    return true;
  });
  return allowed.find((ip) => isV6(ip) === isV6(aimedAt)) ?? allowed[0] ?? null;
}
