import type { WorkloadView } from '@aquifer/control-plane-client/snapshot';
import { type Service, serviceKey, type Workload } from '@aquifer/model';
import { aliases, type DnsClient, wildcards } from './names.ts';

export interface DnsQuestion {
  /** In lower case, without final dot. */
  readonly name: string;
  readonly type: 'A' | 'AAAA';
}

export interface DnsScope extends DnsClient {
  /** Network of the client: addresses of others mean nothing to it. */
  readonly network: string;
  /** Namespace whose services are preferred to those of others that are neither the client's own nor canonical; null for none. */
  readonly preferredNamespace: string | null;
  /** False: no name has addresses of IPv6. Default true. */
  readonly usesIpv6?: boolean;
}

/** `none` is an answer too: the name is known, and has no address of the kind that was asked for. */
export type DnsDecision =
  /** Nobody here has the name. */
  | { readonly kind: 'forward' }
  | {
      readonly kind: 'addresses';
      /** The name that owns the addresses, where it is not the one that was asked for. */
      readonly cname: string | null;
      readonly addresses: readonly string[];
    }
  | { readonly kind: 'none'; readonly reason: 'wrong family' | 'no records' };

type View = Pick<WorkloadView, 'servicesByHostname' | 'endpoints'>;

/** How a query of a captured pod is answered (spec ztunnel 8). */
export function resolve(view: View, question: DnsQuestion, scope: DnsScope): DnsDecision {
  for (const alias of aliases(question.name, scope)) {
    for (const hostname of wildcards(alias.name)) {
      const service = bestService(view.servicesByHostname(hostname), scope);
      if (service === null) continue;
      // A wildcard covers the whole name, search domain included.
      const cname = hostname === alias.name ? alias.stripped : null;
      if (question.type === 'AAAA' && scope.usesIpv6 === false) {
        return { kind: 'none', reason: 'wrong family' };
      }
      return answer(addressesOf(view, service, scope), service, { cname, type: question.type });
    }
  }
  return { kind: 'forward' };
}

function answer(
  all: readonly string[],
  { ipFamilies }: Service,
  { cname, type }: { readonly cname: string | null; readonly type: DnsQuestion['type'] },
): DnsDecision {
  const excluded = type === 'A' ? 'ipv6-only' : 'ipv4-only';
  if (ipFamilies === excluded) return { kind: 'none', reason: 'wrong family' };
  const addresses = all.filter((ip) => ip.includes(':') === (type === 'AAAA'));
  if (addresses.length === 0) return { kind: 'none', reason: 'no records' };
  return { kind: 'addresses', cname, addresses };
}

/** The client's own, then the canonical one, then the preferred namespace's. */
function bestService(candidates: readonly Service[], scope: DnsScope): Service | null {
  const fit = candidates.filter((service) => isAnswerable(service, scope));
  return (
    fit.find(({ namespace }) => namespace === scope.namespace) ??
    fit.find(({ canonical }) => canonical) ??
    fit.find(({ namespace }) => namespace === scope.preferredNamespace) ??
    fit[0] ??
    null
  );
}

/** A name of the outside world without an address of its own is for the outside world to resolve. */
function isAnswerable(service: Service, { namespace, clusterDomain }: DnsScope): boolean {
  const isVisible = service.visibility === 'public' || service.namespace === namespace;
  return isVisible && (hasVip(service) || service.hostname.endsWith(`.svc.${clusterDomain}`));
}

function hasVip({ addresses }: Service): boolean {
  return addresses.some(({ prefixLength }) => prefixLength === null);
}

function addressesOf(view: View, service: Service, { network }: DnsScope): readonly string[] {
  if (!hasVip(service)) return endpointAddresses(view, service);
  return service.addresses
    .filter((vip) => vip.prefixLength === null && vip.network === network)
    .map(({ address }) => address);
}

/** Of a headless Service: the first address of each family of each endpoint that may be used. */
function endpointAddresses(view: View, service: Service): readonly string[] {
  const found: string[] = [];
  const takesAll = service.loadBalancing?.healthPolicy === 'allow-all';
  for (const workload of view.endpoints(serviceKey(service))) {
    if (takesAll || workload.status === 'healthy') found.push(...firstOfEachFamily(workload));
  }
  return found;
}

function firstOfEachFamily({ addresses }: Workload): readonly string[] {
  const v4 = addresses.find((ip) => !ip.includes(':'));
  const v6 = addresses.find((ip) => ip.includes(':'));
  return [v4, v6].filter((ip) => ip !== undefined);
}
