import {
  Cluster_DiscoveryType as DiscoveryType,
  type Cluster as PbCluster,
} from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { HttpProtocolOptionsSchema } from '@aquifer/wire/gen/envoy/extensions/upstreams/http/v3_pb';
import type { BreakerLimits } from '../clusters/breakers.ts';
import type { BalancingSettings } from '../clusters/host-set.ts';
import type { OutlierSettings } from '../clusters/outlier-settings.ts';
import { durationMs, unpack } from './any.ts';
import { type CompiledAssignment, compileAssignment } from './assignment.ts';
import { compileBalancing } from './balancing.ts';
import { compileBreakers } from './circuit-breakers.ts';
import { compileOutlierDetection } from './outlier-detection.ts';
import { type UpstreamProtocol, upstreamProtocol } from './upstream-protocol.ts';

const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;
const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
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
    /** Connections go where they were going. Outliers are not looked for, as there is one host for each. */
    | { readonly kind: 'original-destination' };
  readonly protocol: UpstreamProtocol;
  readonly balancing: BalancingSettings;
  readonly breakers: BreakerLimits;
  readonly outliers: OutlierSettings | null;
  /** Of TCP. */
  readonly connectTimeoutMs: number;
  /** 0 is no limit. */
  readonly maxRequestsPerConnection: number;
}

/** Throws `ConfigProblem` for what is not done. */
export function compileCluster(config: PbCluster): CompiledCluster {
  const base = {
    name: config.name,
    protocol: upstreamProtocol(config),
    breakers: compileBreakers(config.circuitBreakers, 'circuit_breakers'),
    connectTimeoutMs: durationMs(config.connectTimeout) ?? DEFAULT_CONNECT_TIMEOUT_MS,
    maxRequestsPerConnection: maxRequests(config),
  };
  if (isDirect(config)) {
    const hosts = { kind: 'original-destination' } as const;
    return { ...base, hosts, balancing: ONE_HOST, outliers: null };
  }
  const { loadAssignment } = config;
  const assignment = loadAssignment === undefined ? null : compileAssignment(loadAssignment);
  return {
    ...base,
    hosts: { kind: 'endpoints', assignment },
    balancing: compileBalancing(config),
    outliers: compileOutlierDetection(config.outlierDetection, 'outlier_detection'),
  };
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

/** In its old place or in the new one. */
function maxRequests({
  maxRequestsPerConnection,
  typedExtensionProtocolOptions,
}: PbCluster): number {
  const options = typedExtensionProtocolOptions[HTTP_OPTIONS];
  if (options === undefined) return maxRequestsPerConnection ?? 0;
  const path = `typed_extension_protocol_options[${HTTP_OPTIONS}]`;
  const { commonHttpProtocolOptions: common } = unpack(options, HttpProtocolOptionsSchema, path);
  return common?.maxRequestsPerConnection ?? maxRequestsPerConnection ?? 0;
}
