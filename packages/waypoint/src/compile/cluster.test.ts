import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ClusterLoadAssignmentSchema } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { fromJson, type JsonObject, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { RESOURCES } from '../data-plane/resources.ts';
import { compileAssignment } from './assignment.ts';
import { compileCluster } from './cluster.ts';

function compile(json: JsonObject) {
  return compileCluster(fromJson(ClusterSchema, { name: 'cart', type: 'EDS', ...json }));
}

describe('a cluster', () => {
  test('that says nothing is as Envoy has it', () => {
    expect(compile({})).toEqual({
      name: 'cart',
      protocol: 'HTTP/1.1',
      hosts: { kind: 'endpoints', assignment: null },
      balancing: {
        balancer: { kind: 'round-robin', slowStart: null },
        localities: 'merged',
        panicPercent: 50,
      },
      breakers: {
        connections: 1024,
        pending: 1024,
        requests: 1024,
        retries: { kind: 'count', retries: 3 },
      },
      outliers: null,
      connectTimeoutMs: 5_000,
      transport: [{ match: {}, tls: null }],
      lifetimes: { maxRequests: 0, idleMs: 3_600_000, maxAgeMs: 0, maxStreams: 0 },
    });
  });

  test('a time that no timer takes is as long as one takes, and not over at once', () => {
    expect(compile({ connectTimeout: '3000000s' }).connectTimeoutMs).toBe(2 ** 31 - 1);
  });

  /** As Istio sends them for DestinationRules (recordings l7/13, 14 and 17). */
  test.for<{ name: string; json: JsonObject; balancer: object }>([
    {
      name: 'RANDOM',
      json: { lbPolicy: 'RANDOM' },
      balancer: { kind: 'random' },
    },
    {
      name: 'RING_HASH',
      json: { lbPolicy: 'RING_HASH', ringHashLbConfig: { minimumRingSize: '512' } },
      balancer: { kind: 'ring-hash', minRingSize: 512, maxRingSize: 8_388_608 },
    },
    {
      name: 'MAGLEV',
      json: { lbPolicy: 'MAGLEV', maglevLbConfig: { tableSize: '101' } },
      balancer: { kind: 'maglev', tableSize: 101 },
    },
    {
      name: 'ROUND_ROBIN with warm-up',
      json: {
        roundRobinLbConfig: {
          slowStartConfig: {
            slowStartWindow: '30s',
            aggression: { defaultValue: 2, runtimeKey: '(' },
            minWeightPercent: { value: 20 },
          },
        },
      },
      balancer: {
        kind: 'round-robin',
        slowStart: { windowMs: 30_000, aggression: 2, minWeightPercent: 20 },
      },
    },
    {
      name: 'LEAST_REQUEST with warm-up',
      json: {
        lbPolicy: 'LEAST_REQUEST',
        leastRequestLbConfig: { slowStartConfig: { slowStartWindow: '10s' } },
      },
      balancer: {
        kind: 'least-request',
        choices: 2,
        activeRequestBias: 1,
        slowStart: { windowMs: 10_000, aggression: 1, minWeightPercent: 10 },
      },
    },
  ])('is balanced by $name', ({ json, balancer }) => {
    expect(compile(json).balancing.balancer).toEqual(balancer);
  });

  test('has the limits of a connectionPool, and a budget instead of a number of retries', () => {
    const threshold = {
      maxConnections: 11,
      maxPendingRequests: 12,
      maxRequests: 13,
      maxRetries: 15,
    };
    const retryBudget = { budgetPercent: { value: 33.5 }, minRetryConcurrency: 5 };
    const limits = { connections: 11, pending: 12, requests: 13 };
    expect(compile({ circuitBreakers: { thresholds: [threshold] } }).breakers).toEqual({
      ...limits,
      retries: { kind: 'count', retries: 15 },
    });
    expect(
      compile({ circuitBreakers: { thresholds: [{ ...threshold, retryBudget }] } }).breakers,
    ).toEqual({ ...limits, retries: { kind: 'budget', percent: 33.5, least: 5 } });
  });

  test('looks for outliers as Istio has it, with no panic', () => {
    const { outliers, balancing } = compile({
      outlierDetection: {
        interval: '9s',
        baseEjectionTime: '40s',
        maxEjectionPercent: 55,
        consecutive5xx: 7,
        enforcingConsecutive5xx: 100,
        enforcingSuccessRate: 0,
        splitExternalLocalOriginErrors: true,
        consecutiveLocalOriginFailure: 8,
      },
      commonLbConfig: { healthyPanicThreshold: {}, localityWeightedLbConfig: {} },
    });
    expect(balancing).toMatchObject({ panicPercent: 0, localities: 'weighted' });
    expect(outliers).toMatchObject({
      consecutive5xx: { failures: 7, enforcedPercent: 100 },
      consecutiveGateway: { enforcedPercent: 0 },
      consecutiveLocal: { failures: 8, enforcedPercent: 100 },
      localFailures: 'apart',
      intervalMs: 9_000,
      baseEjectionMs: 40_000,
      maxEjectionMs: 300_000,
      maxEjectionPercent: 55,
      successRate: { enforcedPercent: 0 },
    });
  });

  test.for<readonly [string, JsonObject]>([
    ['lb_policy', { lbPolicy: 'CLUSTER_PROVIDED' }],
    ['lb_policy', { lbPolicy: 'LOAD_BALANCING_POLICY_CONFIG' }],
    ['maglev_lb_config.table_size', { lbPolicy: 'MAGLEV', maglevLbConfig: { tableSize: '100' } }],
    [
      'ring_hash_lb_config.hash_function',
      { lbPolicy: 'RING_HASH', ringHashLbConfig: { hashFunction: 'MURMUR_HASH_2' } },
    ],
    [
      'common_lb_config.consistent_hashing_lb_config.hash_balance_factor',
      { commonLbConfig: { consistentHashingLbConfig: { hashBalanceFactor: 120 } } },
    ],
    [
      'common_lb_config.close_connections_on_host_set_change',
      { commonLbConfig: { closeConnectionsOnHostSetChange: true } },
    ],
    [
      'circuit_breakers.thresholds[0].max_connection_pools',
      { circuitBreakers: { thresholds: [{ maxConnectionPools: 1 }] } },
    ],
    [
      'circuit_breakers.per_host_thresholds',
      { circuitBreakers: { perHostThresholds: [{ maxConnections: 1 }] } },
    ],
    [
      'outlier_detection.max_ejection_time',
      { outlierDetection: { baseEjectionTime: '10s', maxEjectionTime: '5s' } },
    ],
    ['upstream_bind_config', { upstreamBindConfig: {} }],
    ['filters[0].typed_config', { filters: [{ name: 'envoy.filters.network.rbac' }] }],
    [
      'original_dst_lb_config',
      { type: 'ORIGINAL_DST', originalDstLbConfig: { upstreamPortOverride: 1 } },
    ],
  ])('is refused for %s', ([path, json]) => {
    const config = fromJson(ClusterSchema, { name: 'cart', type: 'EDS', ...json });
    expect(() => RESOURCES.cluster.check(toBinary(ClusterSchema, config))).toThrow(`${path}: `);
  });

  test('is refused for fields that nobody here knows', () => {
    const config = fromJson(ClusterSchema, { name: 'cart', outlierDetection: {} });
    const unknown = { no: 24, wireType: 2, data: new Uint8Array([0]) };
    config.outlierDetection!.$unknown = [unknown];
    const body = toBinary(ClusterSchema, config);
    expect(() => RESOURCES.cluster.check(body)).toThrow('outlier_detection: field number 24 of');
  });
});

describe('endpoints', () => {
  const internal = {
    envoyInternalAddress: {
      serverListenerName: 'connect_originate',
      endpointId: '10.1.0.11:8080',
    },
  };
  const original = { 'envoy.filters.listener.original_dst': { local: '10.1.0.11:8080' } };

  function compileOne(endpoint: JsonObject) {
    const json: JsonValue = { clusterName: 'cart', endpoints: [{ lbEndpoints: [endpoint] }] };
    const assignment = compileAssignment(fromJson(ClusterLoadAssignmentSchema, json));
    return assignment.localities[0]!.endpoints[0]!;
  }

  const plain = (address: string) => ({
    endpoint: { address: { socketAddress: { address, portValue: 80 } } },
  });

  test.for<readonly [string, JsonObject]>([
    ['10.1.0.11:80', plain('10.1.0.11')],
    ['[fd00::1]:80', plain('fd00::1')],
    [
      'envoy://connect_originate/10.1.0.11:8080',
      { endpoint: { address: internal }, metadata: { filterMetadata: original } },
    ],
    [
      'one',
      {
        ...plain('10.1.0.11'),
        metadata: { filterMetadata: { 'envoy.lb': { hash_key: 'one' } } },
      },
    ],
  ])('are hashed as %s', ([key, endpoint]) => {
    expect(compileOne(endpoint).hashKey).toBe(key);
  });

  test.for<readonly [string, JsonObject]>([
    ['policy.drop_overloads', { policy: { dropOverloads: [{ category: 'x' }] } }],
    ['policy.weighted_priority_health', { policy: { weightedPriorityHealth: true } }],
    ['endpoints[0].priority', { endpoints: [{ priority: 129 }] }],
    [
      'endpoints[0].lb_endpoints[0].health_status',
      { endpoints: [{ lbEndpoints: [{ ...plain('10.1.0.11'), healthStatus: 'DEGRADED' }] }] },
    ],
  ])('are refused for %s', ([path, json]) => {
    const config = fromJson(ClusterLoadAssignmentSchema, { clusterName: 'cart', ...json });
    const body = toBinary(ClusterLoadAssignmentSchema, config);
    expect(() => RESOURCES.endpoints.check(body)).toThrow(`${path}: `);
  });
});
