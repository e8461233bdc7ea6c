import type { OutlierDetection } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import type { OutlierSettings } from '../clusters/outlier-settings.ts';
import { durationMs } from './any.ts';
import { ConfigProblem } from './problem.ts';

const MAX_EJECTION_MS = 300_000;

/** Null if there is none. Defaults are Envoy's (config/cluster/v3/outlier_detection.proto). */
export function compileOutlierDetection(
  config: OutlierDetection | undefined,
  path: string,
): OutlierSettings | null {
  if (config === undefined) return null;
  return {
    ...consecutiveOf(config),
    ...timesOf(config, path),
    ...ratesOf(config),
    localFailures: config.splitExternalLocalOriginErrors ? 'apart' : 'as-answers',
    maxEjectionPercent: config.maxEjectionPercent ?? 10,
    firstEjection: config.alwaysEjectOneHost ? 'always' : 'by-percent',
  };
}

function timesOf(
  config: OutlierDetection,
  path: string,
): Pick<OutlierSettings, 'intervalMs' | 'baseEjectionMs' | 'maxEjectionMs' | 'maxJitterMs'> {
  const intervalMs = durationMs(config.interval) ?? 10_000;
  if (intervalMs <= 0) throw new ConfigProblem(`${path}.interval`, 'is not above 0');
  const baseEjectionMs = durationMs(config.baseEjectionTime) ?? 30_000;
  const maxEjectionMs =
    durationMs(config.maxEjectionTime) ?? Math.max(MAX_EJECTION_MS, baseEjectionMs);
  if (maxEjectionMs < baseEjectionMs)
    throw new ConfigProblem(`${path}.max_ejection_time`, 'is below base_ejection_time');
  const maxJitterMs = durationMs(config.maxEjectionTimeJitter) ?? 0;
  return { intervalMs, baseEjectionMs, maxEjectionMs, maxJitterMs };
}

function consecutiveOf(
  config: OutlierDetection,
): Pick<OutlierSettings, 'consecutive5xx' | 'consecutiveGateway' | 'consecutiveLocal'> {
  return {
    consecutive5xx: {
      failures: config.consecutive5xx ?? 5,
      enforcedPercent: config.enforcingConsecutive5xx ?? 100,
    },
    consecutiveGateway: {
      failures: config.consecutiveGatewayFailure ?? 5,
      enforcedPercent: config.enforcingConsecutiveGatewayFailure ?? 0,
    },
    consecutiveLocal: {
      failures: config.consecutiveLocalOriginFailure ?? 5,
      enforcedPercent: config.enforcingConsecutiveLocalOriginFailure ?? 100,
    },
  };
}

function ratesOf(config: OutlierDetection): Pick<OutlierSettings, 'successRate' | 'failureRate'> {
  return {
    successRate: {
      enforcedPercent: config.enforcingSuccessRate ?? 100,
      enforcedLocalPercent: config.enforcingLocalOriginSuccessRate ?? 100,
      minHosts: config.successRateMinimumHosts ?? 5,
      minRequests: config.successRateRequestVolume ?? 100,
      deviations: (config.successRateStdevFactor ?? 1900) / 1000,
    },
    failureRate: {
      enforcedPercent: config.enforcingFailurePercentage ?? 0,
      enforcedLocalPercent: config.enforcingFailurePercentageLocalOrigin ?? 0,
      minHosts: config.failurePercentageMinimumHosts ?? 5,
      minRequests: config.failurePercentageRequestVolume ?? 50,
      percent: config.failurePercentageThreshold ?? 85,
    },
  };
}
