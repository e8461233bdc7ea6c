import {
  Cluster_RingHashLbConfig_HashFunction as HashFunction,
  Cluster_LbPolicy as LbPolicy,
  type Cluster as PbCluster,
  type Cluster_SlowStartConfig as SlowStartConfig,
} from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import type { BalancerSettings, SlowStart } from '../clusters/balance/balancer.ts';
import type { BalancingSettings } from '../clusters/host-set.ts';
import { durationMs } from './any.ts';
import { ConfigProblem } from './problem.ts';

const DEFAULT_PANIC_PERCENT = 50;
const DEFAULT_RING_SIZE = 1024;
/** Envoy's, of both sizes. */
const MAX_RING_SIZE = 8 * 1024 * 1024;
const DEFAULT_TABLE_SIZE = 65_537;
const MAX_TABLE_SIZE = 5_000_011;

export function compileBalancing(config: PbCluster): BalancingSettings {
  const common = config.commonLbConfig;
  const percent = common?.healthyPanicThreshold?.value ?? DEFAULT_PANIC_PERCENT;
  const isWeighted = common?.localityConfigSpecifier.case === 'localityWeightedLbConfig';
  return {
    balancer: compileBalancer(config),
    localities: isWeighted ? 'weighted' : 'merged',
    panicPercent: Math.round(percent),
  };
}

function compileBalancer(config: PbCluster): BalancerSettings {
  switch (config.lbPolicy) {
    case LbPolicy.ROUND_ROBIN: {
      const { lbConfig } = config;
      const settings = lbConfig.case === 'roundRobinLbConfig' ? lbConfig.value : undefined;
      const path = 'round_robin_lb_config';
      return { kind: 'round-robin', slowStart: compileSlowStart(settings?.slowStartConfig, path) };
    }
    case LbPolicy.LEAST_REQUEST:
      return compileLeastRequest(config);
    case LbPolicy.RANDOM:
      return { kind: 'random' };
    case LbPolicy.RING_HASH:
      return compileRingHash(config);
    case LbPolicy.MAGLEV:
      return compileMaglev(config);
    case LbPolicy.CLUSTER_PROVIDED:
      throw new ConfigProblem('lb_policy', 'CLUSTER_PROVIDED is only for ORIGINAL_DST');
    case LbPolicy.LOAD_BALANCING_POLICY_CONFIG:
      throw new ConfigProblem('lb_policy', 'LOAD_BALANCING_POLICY_CONFIG is not supported');
    default:
      throw new ConfigProblem('lb_policy', `${String(config.lbPolicy)} is unknown`);
  }
}

function compileLeastRequest({ lbConfig }: PbCluster): BalancerSettings {
  const settings = lbConfig.case === 'leastRequestLbConfig' ? lbConfig.value : undefined;
  const path = 'least_request_lb_config';
  const choices = settings?.choiceCount ?? 2;
  if (choices < 2) throw new ConfigProblem(`${path}.choice_count`, 'is below 2');
  const activeRequestBias = settings?.activeRequestBias?.defaultValue ?? 1;
  if (!(activeRequestBias >= 0))
    throw new ConfigProblem(`${path}.active_request_bias`, 'is below 0');
  const slowStart = compileSlowStart(settings?.slowStartConfig, path);
  return { kind: 'least-request', choices, activeRequestBias, slowStart };
}

function compileRingHash({ lbConfig }: PbCluster): BalancerSettings {
  const settings = lbConfig.case === 'ringHashLbConfig' ? lbConfig.value : undefined;
  const path = 'ring_hash_lb_config';
  if ((settings?.hashFunction ?? HashFunction.XX_HASH) !== HashFunction.XX_HASH)
    throw new ConfigProblem(`${path}.hash_function`, 'only XX_HASH is supported');
  const minRingSize = Number(settings?.minimumRingSize ?? DEFAULT_RING_SIZE);
  const maxRingSize = Number(settings?.maximumRingSize ?? MAX_RING_SIZE);
  if (minRingSize < 1 || maxRingSize > MAX_RING_SIZE || minRingSize > maxRingSize)
    throw new ConfigProblem(path, `sizes are not between 1 and ${MAX_RING_SIZE}`);
  return { kind: 'ring-hash', minRingSize, maxRingSize };
}

function compileMaglev({ lbConfig }: PbCluster): BalancerSettings {
  const settings = lbConfig.case === 'maglevLbConfig' ? lbConfig.value : undefined;
  const path = 'maglev_lb_config';
  const tableSize = Number(settings?.tableSize ?? DEFAULT_TABLE_SIZE);
  if (tableSize > MAX_TABLE_SIZE || !isPrime(tableSize))
    throw new ConfigProblem(`${path}.table_size`, `is no prime up to ${MAX_TABLE_SIZE}`);
  return { kind: 'maglev', tableSize };
}

function isPrime(number: number): boolean {
  if (number < 2) return false;
  for (let divisor = 2; divisor * divisor <= number; divisor++)
    if (number % divisor === 0) return false;
  return true;
}

/** The runtime key of the aggression is not looked up: nothing sets it. */
function compileSlowStart(config: SlowStartConfig | undefined, parent: string): SlowStart | null {
  const windowMs = durationMs(config?.slowStartWindow) ?? 0;
  if (config === undefined || windowMs === 0) return null;
  const path = `${parent}.slow_start_config`;
  const aggression = config.aggression?.defaultValue ?? 1;
  if (!(aggression > 0)) throw new ConfigProblem(`${path}.aggression`, 'is not above 0');
  const minWeightPercent = config.minWeightPercent?.value ?? 10;
  return { windowMs, aggression, minWeightPercent };
}
