import { createHash } from 'node:crypto';
import {
  type FilterChain,
  FilterChainSchema,
  type Listener,
} from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import {
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
} from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import { RBACSchema as NetworkRbacSchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/rbac/v3_pb';
import { ConfigSchema as FilterStateSchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/set_filter_state/v3_pb';
import {
  type TcpProxy,
  TcpProxySchema,
} from '@aquifer/wire/gen/envoy/extensions/filters/network/tcp_proxy/v3_pb';
import { toBinary } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { compileChainFilters } from '../filters/filters.ts';
import { DEFAULT_MAX_STREAMS } from '../upstream/http2-limits.ts';
import { compileAccessLog } from './access-log.ts';
import { durationMs, isType, unpack } from './any.ts';
import type { Chain, ChainChoice, HttpChain, TcpChain } from './chain.ts';
import { compileMatcher } from './chain-matcher.ts';
import { compileDownstreamTls, type DownstreamTls } from './downstream-tls.ts';
import { compileExternalChecks } from './ext-authz.ts';
import { compileConnectionHash } from './hash-policy.ts';
import { compileHttpFilter, refuseRepeated } from './http-filters.ts';
import { compileMetricRules, type MetricRules } from './metric-rules.ts';
import { compilePathRules } from './path-rules.ts';
import { ConfigProblem } from './problem.ts';
import { type AuthorizationFilter, type AuthorizationView, compileAuthorization } from './rbac.ts';
import { compileRoutes } from './route.ts';
import { compileTracing } from './tracing.ts';

export interface CompiledListener {
  readonly name: string;
  /** `ip:port` to bind; null for a listener inside this proxy. */
  readonly address: { readonly ip: string; readonly port: number } | null;
  /** Null for clients that come without TLS, or in a tunnel that has it. */
  readonly tls: DownstreamTls | null;
  readonly chains: ReadonlyMap<string, Chain>;
  /** By digests of the bytes that they were compiled from. */
  readonly compiled: CompiledChains;
  choose(ip: string, port: number): ChainChoice | null;
}

type CompiledChains = ReadonlyMap<string, Chain>;

const NONE_COMPILED: CompiledChains = new Map();

/**
 * Throws `ConfigProblem` naming the field that cannot be served. Chains whose bytes are those of before stay the same
 * objects: who holds one knows by that whether anything has changed for it.
 */
export function compileListener(
  listener: Listener,
  before: CompiledChains = NONE_COMPILED,
): CompiledListener {
  const chains = new Map<string, Chain>();
  const compiled = new Map<string, Chain>();
  for (const [i, filterChain] of listener.filterChains.entries()) {
    const source = digestOf(filterChain);
    const chain = before.get(source) ?? compileChain(filterChain, `filter_chains[${i}]`);
    compiled.set(source, chain);
    if (chains.has(chain.name))
      throw new ConfigProblem(`filter_chains[${i}].name`, `there is another ${chain.name}`);
    chains.set(chain.name, chain);
  }
  const { filterChainMatcher } = listener;
  if (filterChainMatcher === undefined && listener.filterChains.length > 1)
    throw new ConfigProblem('filter_chains', 'are several, and no filter_chain_matcher chooses');
  const choose =
    filterChainMatcher === undefined
      ? onlyChain(chains)
      : compileMatcher(filterChainMatcher, chains, 'filter_chain_matcher');
  const address = bindAddress(listener);
  const tls = compileDownstreamTls(listener.filterChains);
  if (tls !== null && address === null)
    throw new ConfigProblem(
      'filter_chains[0].transport_socket',
      'TLS within tunnels is not ended here',
    );
  return { name: listener.name, address, tls, chains, compiled, choose };
}

/** Instead of the bytes themselves, of which there may be megabytes. */
function digestOf(filterChain: FilterChain): string {
  return createHash('sha256').update(toBinary(FilterChainSchema, filterChain)).digest('latin1');
}

function bindAddress(listener: Listener): CompiledListener['address'] {
  const address = listener.address?.address;
  if (address?.case !== 'socketAddress') return null;
  const { address: ip, portSpecifier } = address.value;
  if (portSpecifier.case !== 'portValue') throw new ConfigProblem('address', 'has no port');
  return { ip, port: portSpecifier.value };
}

function onlyChain(chains: ReadonlyMap<string, Chain>): CompiledListener['choose'] {
  const [first = null] = chains.values();
  return () => (first === null ? null : { http: first, tcp: first });
}

function compileChain(filterChain: FilterChain, path: string): Chain {
  const { name } = filterChain;
  const authorization: AuthorizationFilter[] = [];
  for (const [i, filter] of filterChain.filters.entries()) {
    const any = filter.configType.value;
    const filterPath = `${path}.filters[${i}]`;
    if (isType(any, NetworkRbacSchema)) {
      const { rules } = unpack(any, NetworkRbacSchema, filterPath);
      if (rules !== undefined)
        authorization.push(compileAuthorization(rules, `${filterPath}.rules`, 'bytes'));
    } else if (isType(any, HttpConnectionManagerSchema)) {
      const manager = unpack(any, HttpConnectionManagerSchema, filterPath);
      refuseBehind(filterChain, i, path);
      return compileHttp(manager, authorization, { name, path: filterPath });
    } else if (isType(any, TcpProxySchema)) {
      refuseBehind(filterChain, i, path);
      const proxy = unpack(any, TcpProxySchema, filterPath);
      const metrics = compileMetricRules(filterChain.filters, `${path}.filters`);
      return compileTcp(proxy, { authorization, metrics }, { name, path: filterPath });
    } else if (isType(any, FilterStateSchema)) refuseOtherState(any, filterPath);
  }
  throw new ConfigProblem(path, 'has neither an HTTP connection manager nor a TCP proxy');
}

/** What serves a connection is the last that sees it. */
function refuseBehind({ filters }: FilterChain, last: number, path: string): void {
  if (last < filters.length - 1)
    throw new ConfigProblem(`${path}.filters[${last + 1}]`, 'stands behind the one that serves');
}

/** What a tunnel says about a connection, and is known without being set. */
const KNOWN_STATE: ReadonlySet<string> = new Set([
  'envoy.filters.listener.original_dst.local_ip',
  'envoy.filters.listener.original_dst.remote_ip',
  'io.istio.connect_authority',
  'io.istio.local_principal',
]);

function refuseOtherState(any: Any | undefined, path: string): void {
  const { onNewConnection } = unpack(any, FilterStateSchema, path);
  for (const [i, { key }] of onNewConnection.entries()) {
    if (!KNOWN_STATE.has(key.value ?? ''))
      throw new ConfigProblem(
        `${path}.on_new_connection[${i}].object_key`,
        `${key.value ?? ''} is refused: policies would compare what is set`,
      );
  }
}

interface ByteFilters {
  readonly authorization: readonly AuthorizationFilter[];
  readonly metrics: MetricRules | null;
}

function compileTcp(
  proxy: TcpProxy,
  { authorization, metrics }: ByteFilters,
  { name, path }: { readonly name: string; readonly path: string },
): TcpChain {
  return {
    kind: 'tcp',
    name,
    authorization,
    targets: tcpTargets(proxy.clusterSpecifier, path),
    idleTimeoutMs: durationMs(proxy.idleTimeout) ?? 0,
    maxDurationMs: durationMs(proxy.maxDownstreamConnectionDuration) ?? 0,
    hashes: compileConnectionHash(proxy.hashPolicy, `${path}.hash_policy`),
    accessLog: compileAccessLog(proxy.accessLog, `${path}.access_log`),
    metrics,
  };
}

function tcpTargets(specifier: TcpProxy['clusterSpecifier'], path: string): TcpChain['targets'] {
  switch (specifier.case) {
    case 'cluster':
      return [{ cluster: specifier.value, weight: 1 }];
    case 'weightedClusters':
      return specifier.value.clusters.map(({ name, weight }) => ({ cluster: name, weight }));
    default:
      throw new ConfigProblem(path, 'names no cluster');
  }
}

function compileHttp(
  manager: HttpConnectionManager,
  ofConnection: readonly AuthorizationFilter[],
  { name, path }: { readonly name: string; readonly path: string },
): HttpChain {
  const { routeSpecifier } = manager;
  if (routeSpecifier.case === undefined) throw new ConfigProblem(path, 'has no routes');
  if (manager.useRemoteAddress)
    throw new ConfigProblem(`${path}.use_remote_address`, 'x-forwarded-for stays as it came');
  refuseRepeated(manager.httpFilters, `${path}.http_filters`);
  const routes =
    routeSpecifier.case === 'routeConfig'
      ? compileRoutes(routeSpecifier.value, `${path}.route_config.`)
      : { rds: routeSpecifier.value.routeConfigName };
  const seenAs = (view: AuthorizationView): AuthorizationFilter[] => [
    ...ofConnection,
    ...manager.httpFilters.flatMap((filter, i) =>
      compileHttpFilter(filter, `${path}.http_filters[${i}]`, view),
    ),
  ];
  return {
    kind: 'http',
    name,
    routes,
    externalChecks: compileExternalChecks(manager.httpFilters, `${path}.http_filters`, 'request'),
    authorization: seenAs('request'),
    filters: compileChainFilters(manager.httpFilters, `${path}.http_filters`),
    serverName: manager.serverName || 'envoy',
    pathRules: compilePathRules(manager, path),
    proxiesContinue: manager.proxy100Continue,
    streamIdleTimeoutMs: durationMs(manager.streamIdleTimeout) ?? 300_000,
    maxConcurrentStreams: manager.http2ProtocolOptions?.maxConcurrentStreams ?? DEFAULT_MAX_STREAMS,
    accessLog: compileAccessLog(manager.accessLog, `${path}.access_log`),
    tracing: compileTracing(manager, path),
    metrics: compileMetricRules(manager.httpFilters, `${path}.http_filters`),
    takesWebSocket: takesWebSocket(manager, path),
    // Of bytes nobody is asked: what would be asked about is denied.
    bytesAuthorization: [
      ...compileExternalChecks(manager.httpFilters, `${path}.http_filters`, 'bytes').map(
        ({ asks }) => asks,
      ),
      ...seenAs('bytes'),
    ],
  };
}

function takesWebSocket({ upgradeConfigs }: HttpConnectionManager, path: string): boolean {
  for (const [i, { upgradeType: type }] of upgradeConfigs.entries()) {
    if (type.toLowerCase() !== 'websocket')
      throw new ConfigProblem(`${path}.upgrade_configs[${i}]`, `${type} is not upgraded to`);
  }
  return upgradeConfigs.length > 0;
}
