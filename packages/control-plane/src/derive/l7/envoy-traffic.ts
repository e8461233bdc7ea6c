/** Traffic policies in Envoy's terms: what every role's clusters have of them (spec l7 2.2–2.5; recordings l7/13, 14, 17). */
import {
  type Cluster_SlowStartConfigSchema,
  type ClusterSchema,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_LbPolicy as LbPolicy,
  type OutlierDetectionSchema,
} from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { durationMs } from '../routing/durations.ts';
import type { ConsistentHash, TrafficPolicy } from '../traffic/traffic-policy.ts';
import { duration, type Init } from './packed.ts';

type ClusterInit = Init<typeof ClusterSchema>;

const UNLIMITED = 0xffff_ffff;
const CONNECT_TIMEOUT_MS = 10_000;

/** How many connections and requests there may be, how connections are made, and how endpoints are chosen and spared. */
export function trafficFields(policy: TrafficPolicy | null): ClusterInit {
  const { outlierDetection } = policy ?? {};
  const { connectTimeout } = policy?.connectionPool?.tcp ?? {};
  return {
    circuitBreakers: circuitBreakersOf(policy),
    connectTimeout: duration(
      connectTimeout === undefined ? CONNECT_TIMEOUT_MS : durationMs(connectTimeout),
    ),
    ...keepalive(policy),
    ...balancing(policy),
    ...(outlierDetection !== undefined && { outlierDetection: outliers(outlierDetection) }),
    commonLbConfig: {
      // Without a word 0 %: an endpoint that is not healthy is never used, even if none is.
      healthyPanicThreshold: { value: outlierDetection?.minHealthPercent ?? 0 },
      ...(weighsLocalities(policy) && {
        localityConfigSpecifier: { case: 'localityWeightedLbConfig', value: {} },
      }),
    },
  };
}

/** Without limits there is no circuit breaking. */
export function circuitBreakersOf(
  policy: TrafficPolicy | null,
): NonNullable<ClusterInit['circuitBreakers']> {
  const { tcp = {}, http = {} } = policy?.connectionPool ?? {};
  const { retryBudget } = policy ?? {};
  const threshold = {
    maxConnections: tcp.maxConnections || UNLIMITED,
    maxPendingRequests: http.http1MaxPendingRequests || UNLIMITED,
    maxRequests: http.http2MaxRequests || UNLIMITED,
    maxRetries: http.maxRetries || UNLIMITED,
    ...(retryBudget !== undefined && { retryBudget: budget(retryBudget) }),
  };
  return { thresholds: [threshold] };
}

function budget({ percent, minRetryConcurrency }: NonNullable<TrafficPolicy['retryBudget']>) {
  return {
    ...(typeof percent === 'number' && { budgetPercent: { value: percent } }),
    ...(minRetryConcurrency !== undefined && { minRetryConcurrency }),
  };
}

function keepalive(policy: TrafficPolicy | null): ClusterInit {
  const { tcpKeepalive } = policy?.connectionPool?.tcp ?? {};
  if (tcpKeepalive === undefined) return {};
  const { probes, time, interval } = tcpKeepalive;
  const seconds = (text: string): number => Math.trunc(durationMs(text) / 1000);
  return {
    upstreamConnectionOptions: {
      tcpKeepalive: {
        ...(probes !== undefined && { keepaliveProbes: probes }),
        ...(time !== undefined && { keepaliveTime: seconds(time) }),
        ...(interval !== undefined && { keepaliveInterval: seconds(interval) }),
      },
    },
  };
}

/** Only settings of localities, not their defaults; failover needs something that tells what has failed. */
function weighsLocalities(policy: TrafficPolicy | null): boolean {
  const { distribute, failover, failoverPriority } = policy?.loadBalancer?.localityLbSetting ?? {};
  if (distribute !== undefined) return true;
  const failsOver = failover !== undefined || failoverPriority !== undefined;
  return failsOver && policy?.outlierDetection !== undefined;
}

function balancing(policy: TrafficPolicy | null): ClusterInit {
  const { simple, consistentHash } = policy?.loadBalancer ?? {};
  if (simple === 'PASSTHROUGH') return TO_ORIGINAL_DESTINATION;
  if (consistentHash !== undefined) return hashing(consistentHash);
  const slowStartConfig = slowStart(policy);
  const config = slowStartConfig === null ? null : { slowStartConfig };
  switch (simple) {
    case 'RANDOM':
      return { lbPolicy: LbPolicy.RANDOM };
    case 'ROUND_ROBIN':
      return {
        lbPolicy: LbPolicy.ROUND_ROBIN,
        ...(config && { lbConfig: { case: 'roundRobinLbConfig', value: config } }),
      };
    default:
      return {
        lbPolicy: LbPolicy.LEAST_REQUEST,
        ...(config && { lbConfig: { case: 'leastRequestLbConfig', value: config } }),
      };
  }
}

/** Connections go where they were going anyway. */
export const TO_ORIGINAL_DESTINATION: ClusterInit = {
  clusterDiscoveryType: { case: 'type', value: DiscoveryType.ORIGINAL_DST },
  lbPolicy: LbPolicy.CLUSTER_PROVIDED,
};

/** Upstream reads no key here; a name must be there, for the value to be taken. */
const AGGRESSION_KEY = '(';

function slowStart(
  policy: TrafficPolicy | null,
): Init<typeof Cluster_SlowStartConfigSchema> | null {
  const { warmup, warmupDurationSecs } = policy?.loadBalancer ?? {};
  if (warmup !== undefined) {
    const { duration: window, minimumPercent, aggression } = warmup;
    return {
      slowStartWindow: duration(durationMs(window)),
      ...(typeof minimumPercent === 'number' && { minWeightPercent: { value: minimumPercent } }),
      ...(typeof aggression === 'number' && {
        aggression: { defaultValue: aggression, runtimeKey: AGGRESSION_KEY },
      }),
    };
  }
  if (warmupDurationSecs === undefined) return null;
  return { slowStartWindow: duration(durationMs(warmupDurationSecs)) };
}

const DEFAULT_RING_SIZE = 1024;

function hashing({ maglev, ringHash, minimumRingSize }: ConsistentHash): ClusterInit {
  if (maglev !== undefined) {
    const { tableSize } = maglev;
    return {
      lbPolicy: LbPolicy.MAGLEV,
      ...(tableSize && {
        lbConfig: { case: 'maglevLbConfig', value: { tableSize: BigInt(tableSize) } },
      }),
    };
  }
  const size =
    ringHash === undefined ? minimumRingSize || DEFAULT_RING_SIZE : ringHash.minimumRingSize;
  return {
    lbPolicy: LbPolicy.RING_HASH,
    ...(size && {
      lbConfig: { case: 'ringHashLbConfig', value: { minimumRingSize: BigInt(size) } },
    }),
  };
}

/** A number turns its detector on; rates of success are never looked at. */
function outliers(
  found: NonNullable<TrafficPolicy['outlierDetection']>,
): Init<typeof OutlierDetectionSchema> {
  const { consecutive5xxErrors, consecutiveGatewayErrors, interval, baseEjectionTime } = found;
  const { maxEjectionPercent, splitExternalLocalOriginErrors } = found;
  return {
    enforcingSuccessRate: 0,
    ...(typeof consecutive5xxErrors === 'number' && {
      consecutive5xx: consecutive5xxErrors,
      enforcingConsecutive5xx: consecutive5xxErrors > 0 ? 100 : 0,
    }),
    ...(typeof consecutiveGatewayErrors === 'number' && {
      consecutiveGatewayFailure: consecutiveGatewayErrors,
      enforcingConsecutiveGatewayFailure: consecutiveGatewayErrors > 0 ? 100 : 0,
    }),
    ...(interval !== undefined && { interval: duration(durationMs(interval)) }),
    ...(baseEjectionTime !== undefined && {
      baseEjectionTime: duration(durationMs(baseEjectionTime)),
    }),
    ...(maxEjectionPercent && { maxEjectionPercent }),
    ...(splitExternalLocalOriginErrors === true && localOrigin(found)),
  };
}

function localOrigin({
  consecutiveLocalOriginFailures: failures,
}: NonNullable<TrafficPolicy['outlierDetection']>): Init<typeof OutlierDetectionSchema> {
  return {
    splitExternalLocalOriginErrors: true,
    enforcingLocalOriginSuccessRate: 0,
    ...(failures && {
      consecutiveLocalOriginFailure: failures,
      enforcingConsecutiveLocalOriginFailure: 100,
    }),
  };
}
