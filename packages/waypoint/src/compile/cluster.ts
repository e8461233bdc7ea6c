import {
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_DnsLookupFamily as LookupFamily,
  type Cluster as PbCluster,
} from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ClusterConfigSchema as NamedClusterSchema } from '@aquifer/wire/gen/envoy/extensions/clusters/dynamic_forward_proxy/v3_pb';
import type { BreakerLimits } from '../clusters/breakers.ts';
import type { DnsSettings } from '../clusters/dns-hosts.ts';
import type { BalancingSettings } from '../clusters/host-set.ts';
import type { OutlierSettings } from '../clusters/outlier-settings.ts';
import type { ConnectionLifetimes } from '../upstream/request-pool.ts';
import { durationMs, isType, unpack } from './any.ts';
import { type CompiledAssignment, compileAssignment, NO_ENDPOINTS } from './assignment.ts';
import { compileBalancing } from './balancing.ts';
import { compileBreakers } from './circuit-breakers.ts';
import { compileDns, familyOf } from './dns.ts';
import { compileOutlierDetection } from './outlier-detection.ts';
import { ConfigProblem } from './problem.ts';
import {
  connectionLifetimes,
  type UpstreamProtocol,
  upstreamProtocol,
} from './upstream-protocol.ts';
import { compileTransport, type TransportRule } from './upstream-tls.ts';

const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;
/**
 * Leads every connection to where it was going. Its one endpoint is a listener of Envoy's own; our control plane also
 * sends, as endpoints of that name, the workloads that are reached by it, and how. Their ports are those of connections.
 */
const ENCAP = 'encap';

/** A cluster as it is served. */
export interface CompiledCluster {
  readonly name: string;
  readonly hosts:
    | { readonly kind: 'endpoints'; readonly assignment: CompiledAssignment | null }
    /** Endpoints that are names, or addresses. */
    | { readonly kind: 'dns'; readonly assignment: CompiledAssignment; readonly dns: DnsSettings }
    /** Connections go where they were going. Outliers are not looked for, as there is one host for each. */
    | { readonly kind: 'original-destination' }
    /** Each request goes to the host that it is for, as DNS knows it. */
    | { readonly kind: 'by-name'; readonly family: DnsSettings['family'] };
  readonly protocol: UpstreamProtocol;
  readonly transport: readonly TransportRule[];
  readonly lifetimes: ConnectionLifetimes;
  readonly balancing: BalancingSettings;
  readonly breakers: BreakerLimits;
  readonly outliers: OutlierSettings | null;
  /** Of TCP. */
  readonly connectTimeoutMs: number;
}

/** Throws `ConfigProblem` for what is not done. */
export function compileCluster(config: PbCluster): CompiledCluster {
  const base = {
    name: config.name,
    protocol: upstreamProtocol(config),
    transport: compileTransport(config),
    lifetimes: connectionLifetimes(config),
    breakers: compileBreakers(config.circuitBreakers, 'circuit_breakers'),
    connectTimeoutMs: durationMs(config.connectTimeout) ?? DEFAULT_CONNECT_TIMEOUT_MS,
  };
  if (isDirect(config)) {
    const hosts = { kind: 'original-destination' } as const;
    return { ...base, hosts, balancing: ONE_HOST, outliers: null };
  }
  const named = compileNamed(config);
  if (named !== null) return { ...base, hosts: named, balancing: ONE_HOST, outliers: null };
  const { loadAssignment } = config;
  const assignment = loadAssignment === undefined ? null : compileAssignment(loadAssignment);
  const dns = compileDns(config);
  return {
    ...base,
    hosts:
      dns === null
        ? { kind: 'endpoints', assignment }
        : { kind: 'dns', assignment: assignment ?? NO_ENDPOINTS, dns },
    balancing: compileBalancing(config),
    outliers: compileOutlierDetection(config.outlierDetection, 'outlier_detection'),
  };
}

/** Null for a cluster of another kind. */
function compileNamed({ clusterDiscoveryType: found }: PbCluster) {
  if (found.case !== 'clusterType') return null;
  const path = 'cluster_type.typed_config';
  const any = found.value.typedConfig;
  if (!isType(any, NamedClusterSchema)) throw new ConfigProblem(path, 'is not supported');
  const { clusterImplementationSpecifier: cache } = unpack(any, NamedClusterSchema, path);
  const family = cache.value?.dnsLookupFamily ?? LookupFamily.AUTO;
  return { kind: 'by-name', family: familyOf(family) } as const;
}

const ONE_HOST: BalancingSettings = {
  balancer: { kind: 'random' },
  localities: 'merged',
  panicPercent: 0,
};

function isDirect(config: PbCluster): boolean {
  const { name, clusterDiscoveryType: type } = config;
  if (name === ENCAP) return true;
  return type.case === 'type' && type.value === DiscoveryType.ORIGINAL_DST;
}
