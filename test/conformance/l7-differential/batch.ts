import fc from 'fast-check';
import {
  accessLog,
  type ClusterSpec,
  denying,
  freePort,
  httpBootstrap,
  SPEAKS_AS_CLIENT,
  SPEAKS_HTTP2,
  type StaticProxy,
  startStaticProxy,
} from '../../fixtures/static-proxy.ts';
import {
  CLUSTERS,
  type ClusterKind,
  type Configuration,
  configurations,
  type Manager,
  managers,
} from './configurations.ts';
import { ScriptedOrigin } from './scripted-origin.ts';

const FILTERS = 'type.googleapis.com/envoy.extensions.filters.http';
const LISTENERS = 5;
const HOSTS_PER_LISTENER = 10;

export type ProxyName = 'envoy' | 'ours';

/** Two proxies that serve the same generated configurations, and the origins behind them. */
export interface Batch {
  readonly configurations: readonly (Configuration & { readonly manager: object })[];
  readonly lanes: readonly ScriptedOrigin[];
  readonly proxies: Readonly<Record<ProxyName, StaticProxy>>;
  portOf(proxy: ProxyName, configuration: number): number;
  stop(): Promise<void>;
}

/**
 * Which virtual host serves a configuration in a lane. Cases of one lane run one after the other and share clusters
 * with no other lane: what an origin does to a connection concerns no other case.
 */
export function hostOf(configuration: number, lane: number): string {
  return `c${configuration}.lane${lane}.test`;
}

/** In the order of its fields, what the harness compares; `DOWNSTREAM_DIRECT_REMOTE_ADDRESS` says whose line it is. */
const ACCESS_LOG = accessLog(
  '%DOWNSTREAM_DIRECT_REMOTE_ADDRESS% "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" ' +
    '%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" ' +
    '%BYTES_RECEIVED% %BYTES_SENT% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(:AUTHORITY)%" ' +
    '%UPSTREAM_CLUSTER_RAW% %ROUTE_NAME%\n',
);

const CHAIN = [
  ['fault', 'HTTPFault'],
  ['cors', 'Cors'],
].map(([name, type]) => ({
  name: `envoy.filters.http.${name}`,
  typed_config: { '@type': `${FILTERS}.${name}.v3.${type}` },
}));

/** Managers, and so many configurations for each of them. */
export interface Served {
  readonly managers: readonly Manager[];
  readonly configurations: readonly Configuration[];
  /** How many configurations each of them has. */
  readonly perManager: number;
}

export function generated(seed: number): Served {
  return {
    managers: fc.sample(managers, { seed, numRuns: LISTENERS }),
    configurations: fc.sample(configurations, { seed, numRuns: LISTENERS * HOSTS_PER_LISTENER }),
    perManager: HOSTS_PER_LISTENER,
  };
}

export async function startBatch(
  { managers: served, configurations: hosts, perManager }: Served,
  laneCount: number,
): Promise<Batch> {
  const managerOf = (host: number) => served[Math.floor(host / perManager)]!;
  const lanes = Array.from({ length: laneCount }, () => new ScriptedOrigin());
  const clusters: Record<string, ClusterSpec> = {};
  for (const [lane, origin] of lanes.entries()) {
    for (const kind of CLUSTERS) clusters[`${kind}-${lane}`] = await clusterOf(kind, origin);
  }
  const listenersOf = (ports: readonly number[]): object =>
    httpBootstrap(
      clusters,
      ports.map((port, i) => {
        const manager = served[i]!;
        const [rbac, router] = denying(...manager.denied);
        const policies = manager.denied.length === 0 ? [] : [rbac];
        const own = hosts.slice(i * perManager, (i + 1) * perManager);
        return {
          port,
          routes: [],
          manager: {
            ...manager.fields,
            access_log: [ACCESS_LOG],
            http_filters: [...policies, ...CHAIN, router],
            route_config: {
              name: 'routes',
              validate_clusters: false,
              ignore_port_in_host_matching: true,
              virtual_hosts: own.flatMap(({ routes }, j) =>
                lanes.map((_, lane) => virtualHost(i * perManager + j, lane, routes)),
              ),
            },
          },
        };
      }),
    );
  const ports: Record<ProxyName, number[]> = { envoy: [], ours: [] };
  const tryStart = async (name: ProxyName): Promise<StaticProxy> => {
    const rest = await Promise.all(Array.from({ length: served.length - 1 }, freePort));
    return startStaticProxy(name === 'envoy' ? 'envoy' : 'waypoint', (port) => {
      ports[name] = [port, ...rest];
      return listenersOf(ports[name]);
    });
  };
  // A port that was free may be taken by now.
  const start = (name: ProxyName): Promise<StaticProxy> =>
    tryStart(name).catch(() => tryStart(name));
  const [envoy, ours] = await Promise.all([start('envoy'), start('ours')]);
  return {
    configurations: hosts.map((host, i) => ({ ...host, manager: managerOf(i) })),
    lanes,
    proxies: { envoy, ours },
    portOf: (name, host) => ports[name][Math.floor(host / perManager)]!,
    stop: async () => {
      await Promise.all([envoy.stop(), ours.stop()]);
      for (const lane of lanes) lane.close();
    },
  };
}

async function clusterOf(kind: ClusterKind, origin: ScriptedOrigin): Promise<ClusterSpec> {
  if (kind === 'closed') return freePort();
  const port = await origin.listen(kind);
  switch (kind) {
    case 'h2':
      return { port, options: SPEAKS_HTTP2 };
    case 'same':
      return { port, options: SPEAKS_AS_CLIENT };
    case 'pair': {
      const endpoints = [port, await origin.listen(kind)].map((port_value) => ({
        endpoint: { address: { socket_address: { address: '127.0.0.1', port_value } } },
      }));
      const load_assignment = { cluster_name: kind, endpoints: [{ lb_endpoints: endpoints }] };
      return { port, options: { load_assignment } };
    }
    case 'h1':
    case 'shadow':
      return port;
  }
}

function virtualHost(configuration: number, lane: number, routes: readonly object[]): object {
  const domain = hostOf(configuration, lane);
  const text = JSON.stringify(routes).replaceAll(
    /"(cluster|name)":"(h1|h2|same|pair|shadow|closed|missing)"/g,
    (_, key: string, kind: string) => `"${key}":"${kind}-${lane}"`,
  );
  return { name: domain, domains: [domain], routes: JSON.parse(text) as object[] };
}
