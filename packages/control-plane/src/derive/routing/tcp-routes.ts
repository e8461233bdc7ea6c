/** Where connections go that nobody reads as HTTP: `tls` and `tcp` of VirtualServices (spec l7 1.16, control-plane 6.2). */
import type { VirtualService } from '@aquifer/model/resources';
import type { MeshSettings } from '../mesh.ts';
import { namespaceOf } from '../object.ts';
import { fullHostname } from './hosts.ts';
import type { Destination } from './route-rule.ts';
import { isFor, type RuleAudience } from './virtual-service-match.ts';

type Spec = NonNullable<VirtualService['spec']>;
export type TcpRoute = NonNullable<Spec['tcp']>[number];
export type TlsRoute = NonNullable<Spec['tls']>[number];

export interface TcpDestination {
  readonly destination: Destination;
  /** Above 0. */
  readonly weight: number;
}

interface Names {
  readonly hostname: string;
  readonly mesh: Pick<MeshSettings, 'clusterDomain'>;
}

/**
 * The first route that holds for connections to the host, those by SNI before the others; null without any. A name of TLS
 * is not looked at: a route holds that asks for the host itself and nothing else.
 */
export function tcpDestinations(
  services: readonly VirtualService[],
  audience: RuleAudience,
  { hostname, mesh }: Names,
): TcpDestination[] | null {
  const holds = (match: Parameters<typeof isFor>[0], service: VirtualService): boolean =>
    isFor(match, audience, namespaceOf(service));
  for (const service of services) {
    const found = service.spec?.tls?.find(({ match }) =>
      match.some((block) => isOnly(block, hostname) && holds(block, service)),
    );
    if (found !== undefined) return tcpDestinationsOf(found, service, mesh);
  }
  for (const service of services) {
    const found = service.spec?.tcp?.find(
      ({ match = [] }) =>
        match.length === 0 || match.some((block) => holds(block, service) && !asksForMore(block)),
    );
    if (found !== undefined) return tcpDestinationsOf(found, service, mesh);
  }
  return null;
}

type TcpMatch = NonNullable<TcpRoute['match']>[number];

function isOnly({ sniHosts, ...block }: TlsRoute['match'][number], hostname: string): boolean {
  const [only, ...others] = sniHosts;
  return others.length === 0 && only?.toLowerCase() === hostname && !asksForMore(block);
}

/** What a waypoint cannot tell: where in the service a connection was going. */
function asksForMore({ destinationSubnets = [] }: Pick<TcpMatch, 'destinationSubnets'>): boolean {
  return destinationSubnets.length > 0;
}

export function tcpDestinationsOf(
  { route = [] }: TcpRoute | TlsRoute,
  service: VirtualService,
  mesh: Names['mesh'],
): TcpDestination[] {
  const isOne = route.length === 1;
  return route
    .filter(({ weight = 0 }) => isOne || weight > 0)
    .map(({ destination: { host, subset = '', port }, weight = 0 }) => ({
      destination: {
        host: fullHostname(host, namespaceOf(service), mesh),
        namespace: null,
        subset,
        port: port?.number ?? null,
      },
      weight: isOne ? 1 : weight,
    }));
}
