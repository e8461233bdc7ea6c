import { httpBootstrap, socketAddress } from '../fixtures/static-proxy.ts';
import { ACCESS_LOG } from './l7-envoy-bootstrap.ts';

/** One configuration for both proxies: every way to choose an endpoint by a hash, breakers, and outlier detection. */

interface EndpointOptions {
  readonly weights?: readonly number[];
  /** Indexes of endpoints that are not healthy. */
  readonly unhealthy?: readonly number[];
}

function lbEndpoints(ports: readonly number[], options: EndpointOptions = {}): object[] {
  return ports.map((port, i) => ({
    endpoint: { address: socketAddress(port) },
    health_status: options.unhealthy?.includes(i) ? 'UNHEALTHY' : 'HEALTHY',
    load_balancing_weight: options.weights?.[i] ?? 1,
  }));
}

/** Envoy gathers changes for a second unless it is told not to; nobody is healthy who is said not to be. */
const COMMON = { healthy_panic_threshold: { value: 0 }, update_merge_window: '0s' };

function cluster(localities: readonly object[], more: object): object {
  return {
    type: 'STATIC',
    connect_timeout: '2s',
    common_lb_config: COMMON,
    load_assignment: { cluster_name: 'c', endpoints: localities },
    ...more,
  };
}

const RING = { lb_policy: 'RING_HASH', ring_hash_lb_config: { minimum_ring_size: 100 } };
const MAGLEV = { lb_policy: 'MAGLEV', maglev_lb_config: { table_size: 101 } };
const WEIGHTED_LOCALITIES = {
  common_lb_config: { ...COMMON, locality_weighted_lb_config: {} },
};

function thresholds(threshold: object): object {
  return { circuit_breakers: { thresholds: [threshold] } };
}

/** `ports` are those of six origins; `slow` is one whose answers take as long as they are asked to. */
function clustersOf(ports: readonly number[], slow: number): Record<string, object> {
  const all = [{ lb_endpoints: lbEndpoints(ports) }];
  const weighted = [{ lb_endpoints: lbEndpoints(ports, { weights: [1, 2, 3, 4, 5, 6] }) }];
  const priorities = [
    { lb_endpoints: lbEndpoints(ports.slice(0, 4), { unhealthy: [1, 3] }) },
    { lb_endpoints: lbEndpoints(ports.slice(4)), priority: 1 },
  ];
  const localities = [1, 2, 3].map((weight) => ({
    locality: { region: `r${weight}` },
    load_balancing_weight: weight,
    lb_endpoints: lbEndpoints(ports.slice(weight * 2 - 2, weight * 2)),
  }));
  const one = [{ lb_endpoints: lbEndpoints([slow]) }];
  const outliers = {
    consecutive_5xx: 3,
    interval: '0.1s',
    base_ejection_time: '2s',
    enforcing_success_rate: 0,
  };
  return {
    ring: cluster(all, RING),
    'ring-weighted': cluster(weighted, RING),
    'ring-default': cluster(weighted, { lb_policy: 'RING_HASH' }),
    'ring-priorities': cluster(priorities, RING),
    'ring-localities': cluster(localities, { ...RING, ...WEIGHTED_LOCALITIES }),
    maglev: cluster(all, MAGLEV),
    'maglev-weighted': cluster(weighted, MAGLEV),
    'maglev-default': cluster(weighted, { lb_policy: 'MAGLEV' }),
    'maglev-priorities': cluster(priorities, MAGLEV),
    'maglev-localities': cluster(localities, { ...MAGLEV, ...WEIGHTED_LOCALITIES }),
    'round-robin': cluster(weighted, { lb_policy: 'ROUND_ROBIN' }),
    tiers: cluster(
      lbEndpoints(ports.slice(0, 3)).map((endpoint, priority) => ({
        lb_endpoints: [endpoint],
        priority,
      })),
      { lb_policy: 'LEAST_REQUEST' },
    ),
    'max-requests': cluster(one, thresholds({ max_requests: 1 })),
    'max-pending': cluster(one, thresholds({ max_connections: 1, max_pending_requests: 1 })),
    'max-retries': cluster(one, thresholds({ max_retries: 0 })),
    'refused-retries': cluster(
      [{ lb_endpoints: lbEndpoints([1]) }],
      thresholds({ max_retries: 0 }),
    ),
    'one-request': cluster(one, { max_requests_per_connection: 1 }),
    outliers: cluster(all, {
      ...RING,
      outlier_detection: { ...outliers, max_ejection_percent: 34 },
    }),
    'all-outliers': cluster(all, {
      ...RING,
      outlier_detection: { ...outliers, max_ejection_percent: 100 },
    }),
    'dead-outliers': cluster([{ lb_endpoints: lbEndpoints([...ports, 1]) }], {
      ...RING,
      outlier_detection: { ...outliers, max_ejection_percent: 100 },
    }),
  };
}

const BY_HEADER = [{ header: { header_name: 'x-key' } }];
const HASHED: Readonly<Record<string, readonly object[]>> = {
  query: [{ query_parameter: { name: 'key' } }],
  cookie: [{ cookie: { name: 'session', ttl: '60s', path: '/shop' } }],
  two: [...BY_HEADER, { header: { header_name: 'x-other' } }],
  terminal: [
    { header: { header_name: 'x-key' }, terminal: true },
    { header: { header_name: 'x-other' } },
  ],
  source: [{ connection_properties: { source_ip: true } }],
};

const RETRIED = {
  retry_on: 'connect-failure,retriable-status-codes',
  retriable_status_codes: [503],
  num_retries: 3,
  retry_back_off: { base_interval: '0.001s' },
  host_selection_retry_max_attempts: '5',
  retry_host_predicate: [
    {
      name: 'envoy.retry_host_predicates.previous_hosts',
      typed_config: {
        '@type':
          'type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
      },
    },
  ],
};

const OTHER_PRIORITIES = {
  ...RETRIED,
  num_retries: 8,
  retry_host_predicate: [],
  retry_priority: {
    name: 'envoy.retry_priorities.previous_priorities',
    typed_config: {
      '@type':
        'type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig',
      update_frequency: 2,
    },
  },
};

function routeTo(prefix: string, to: string, more: object): object {
  return {
    match: { path_separated_prefix: `/${prefix}` },
    route: { cluster: to, timeout: '0s', hash_policy: BY_HEADER, ...more },
  };
}

export function bootstrap(ports: {
  readonly listen: number;
  readonly origins: readonly number[];
  readonly slow: number;
}): object {
  const clusters = clustersOf(ports.origins, ports.slow);
  const routes = [
    ...Object.keys(clusters).map((name) =>
      routeTo(name, name, name.endsWith('-retries') ? { retry_policy: RETRIED } : {}),
    ),
    ...Object.entries(HASHED).map(([name, policies]) =>
      routeTo(`by-${name}`, 'ring', { hash_policy: policies }),
    ),
    routeTo('retried-tiers', 'tiers', { retry_policy: OTHER_PRIORITIES }),
    routeTo('retried-ring', 'ring', { retry_policy: RETRIED }),
    routeTo('retried-maglev', 'maglev', { retry_policy: RETRIED }),
  ];
  const manager = { access_log: [ACCESS_LOG] };
  return httpBootstrap(clusters, [{ port: ports.listen, routes, manager }]);
}
