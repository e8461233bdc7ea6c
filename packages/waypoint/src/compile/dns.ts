import {
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_DnsLookupFamily as LookupFamily,
  type Cluster as PbCluster,
} from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import type { DnsSettings } from '../clusters/dns-hosts.ts';
import { durationMs } from './any.ts';

const DEFAULT_REFRESH_MS = 5000;

/** Those that ask for one family; the others take what there is. */
const FAMILIES: ReadonlyMap<LookupFamily, DnsSettings['family']> = new Map([
  [LookupFamily.V4_ONLY, 4],
  [LookupFamily.V6_ONLY, 6],
]);

/** Null for a cluster whose endpoints are no names. */
export function compileDns(config: PbCluster): DnsSettings | null {
  const { clusterDiscoveryType: type, dnsLookupFamily, dnsRefreshRate, respectDnsTtl } = config;
  if (type.case !== 'type') return null;
  const isLogical = type.value === DiscoveryType.LOGICAL_DNS;
  if (!isLogical && type.value !== DiscoveryType.STRICT_DNS) return null;
  return {
    uses: usesOf(isLogical, dnsLookupFamily),
    family: familyOf(dnsLookupFamily),
    refreshMs: durationMs(dnsRefreshRate) ?? DEFAULT_REFRESH_MS,
    heeds: respectDnsTtl ? 'time-to-live' : 'refresh-rate',
  };
}

export function familyOf(family: LookupFamily): DnsSettings['family'] {
  return FAMILIES.get(family) ?? 'any';
}

function usesOf(isLogical: boolean, family: LookupFamily): DnsSettings['uses'] {
  if (!isLogical) return 'every-address';
  return family === LookupFamily.ALL ? 'any-address' : 'first-address';
}
