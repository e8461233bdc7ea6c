/** Who answers for a service, as far as the TLS of its clients depends on it (spec l7 7.1; recordings l7/02, 22, 29). */
import { formatIdentity } from '@aquifer/model';
import type { MeshService } from '../../mesh-service.ts';
import type { NamespaceTlsMode } from '../../peer-authentication.ts';
import type { WorkloadResource } from '../../resource.ts';
import type { Discovery } from '../service-clusters.ts';

export interface ServicePeers {
  /** SPIFFE ids that its workloads have, sorted. */
  readonly identities: readonly string[];
  /** Which of them take mutual TLS of sidecars. */
  readonly tls: 'all' | 'some' | 'none';
}

export function servicePeers(
  { subjectAltNames }: MeshService,
  workloads: readonly WorkloadResource[],
): ServicePeers {
  const identities = new Set(subjectAltNames);
  let taking = 0;
  for (const { value, traits } of workloads) {
    const { trustDomain, namespace, serviceAccount } = value;
    if (serviceAccount !== '') {
      identities.add(formatIdentity({ trustDomain, namespace, serviceAccount }));
    }
    if (traits.tlsMode === 'istio') taking += 1;
  }
  const isAll = taking > 0 && taking === workloads.length;
  const tls = isAll ? 'all' : taking > 0 ? 'some' : 'none';
  return { identities: [...identities].toSorted(), tls };
}

/**
 * Whether a client speaks mutual TLS of sidecars, where no DestinationRule says so: to no endpoint, to those that are
 * marked, or, where an endpoint is not chosen by the proxy, to all if all of them are.
 */
export type PeerTls = 'never' | 'marked' | 'always';

export function peerTls(
  { location, resolution }: MeshService,
  { tls }: ServicePeers,
  mode: NamespaceTlsMode,
  discovery: Discovery,
): PeerTls {
  if (location === 'external' || mode === 'DISABLE') return 'never';
  const isPassedThrough = resolution === 'headless' || resolution === 'none';
  if (isPassedThrough && tls !== 'all') return 'never';
  return discovery === 'original-destination' ? 'always' : 'marked';
}
