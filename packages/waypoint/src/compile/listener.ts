import { createHash } from 'node:crypto';
import { cidrContains } from '@aquifer/model';
import {
  type FilterChain,
  FilterChainSchema,
  type Listener,
} from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { RBACSchema as HttpRbacSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/rbac/v3_pb';
import {
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
  type HttpFilter,
} from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import { RBACSchema as NetworkRbacSchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/rbac/v3_pb';
import { TcpProxySchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/tcp_proxy/v3_pb';
import {
  IPMatcherSchema,
  type Matcher,
  type Matcher_OnMatch,
} from '@aquifer/wire/gen/xds/type/matcher/v3_pb';
import { toBinary } from '@bufbuild/protobuf';
import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import { type ChainFilters, compileChainFilters } from '../filters/filters.ts';
import { DEFAULT_MAX_STREAMS } from '../upstream/http2-limits.ts';
import { type AccessLogFormat, compileAccessLog } from './access-log.ts';
import { durationMs, isType, unpack } from './any.ts';
import { type ConnectionHash, compileConnectionHash } from './hash-policy.ts';
import { compilePathRules, type PathRules } from './path-rules.ts';
import { ConfigProblem } from './problem.ts';
import { type AuthorizationFilter, type AuthorizationView, compileAuthorization } from './rbac.ts';
import { compileRoutes, type RouteTable } from './route.ts';

/** What happens to the bytes of a connection. */
export type Chain = HttpChain | TcpChain;

export interface HttpChain {
  readonly kind: 'http';
  readonly name: string;
  readonly routes: RouteTable | { readonly rds: string };
  /** In the order of the filters; empty when nothing is enforced. */
  readonly authorization: readonly AuthorizationFilter[];
  readonly filters: ChainFilters;
  readonly serverName: string;
  readonly pathRules: PathRules;
  /** A client that waits for 100 hears it from the upstream, not from here. */
  readonly proxiesContinue: boolean;
  /** Requests that a client may have under way on one connection of HTTP/2. */
  readonly maxConcurrentStreams: number;
  /** Milliseconds without a byte on a stream; 0 is no limit. */
  readonly streamIdleTimeoutMs: number;
  readonly accessLog: AccessLogFormat | null;
  /** The same policies as connections see them that were accepted before the port was one of HTTP. */
  readonly bytesAuthorization: readonly AuthorizationFilter[];
}

export interface TcpChain {
  readonly kind: 'tcp';
  readonly name: string;
  /** In the order of the filters; empty when nothing is enforced. */
  readonly authorization: readonly AuthorizationFilter[];
  readonly targets: readonly { readonly cluster: string; readonly weight: number }[];
  /** For clusters that balance by a hash. */
  readonly hashes: ConnectionHash;
  readonly accessLog: AccessLogFormat | null;
}

/** Where a connection goes by its destination and, for undeclared ports, by its first bytes. */
export interface ChainChoice {
  readonly http: Chain | null;
  readonly tcp: Chain | null;
}

export interface CompiledListener {
  readonly name: string;
  /** `ip:port` to bind; null for a listener inside this proxy. */
  readonly address: { readonly ip: string; readonly port: number } | null;
  readonly chains: ReadonlyMap<string, Chain>;
  /** By digests of the bytes that they were compiled from. */
  readonly compiled: CompiledChains;
  choose(ip: string, port: number): ChainChoice | null;
}

type CompiledChains = ReadonlyMap<string, Chain | null>;

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
  const compiled = new Map<string, Chain | null>();
  for (const [i, filterChain] of listener.filterChains.entries()) {
    const source = digestOf(filterChain);
    const known = before.get(source);
    const chain = known === undefined ? compileChain(filterChain, `filter_chains[${i}]`) : known;
    compiled.set(source, chain);
    if (chain !== null) chains.set(chain.name, chain);
  }
  const { filterChainMatcher } = listener;
  const choose =
    filterChainMatcher === undefined
      ? onlyChain(chains)
      : compileMatcher(filterChainMatcher, chains, 'filter_chain_matcher');
  return { name: listener.name, address: bindAddress(listener), chains, compiled, choose };
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

type Choose = (ip: string, port: number) => ChainChoice | null;

/** The tree that the control plane builds: destination address, then port, then application protocol. */
function compileMatcher(
  matcher: Matcher,
  chains: ReadonlyMap<string, Chain>,
  path: string,
): Choose {
  const otherwise = compileOnMatch(matcher.onNoMatch, chains, `${path}.on_no_match`);
  if (matcher.matcherType.case !== 'matcherTree')
    throw new ConfigProblem(path, 'expected matcher_tree');
  const { treeType, input } = matcher.matcherType.value;
  if (treeType.case === 'customMatch') {
    const { rangeMatchers } = unpack(treeType.value.typedConfig, IPMatcherSchema, path);
    const ranges = rangeMatchers.flatMap(({ ranges: cidrs, onMatch }, i) => {
      const then = compileOnMatch(onMatch, chains, `${path}.range_matchers[${i}]`);
      return cidrs.map(({ addressPrefix: address, prefixLen }) => ({
        cidr: { address, prefixLength: prefixLen ?? 0 },
        then,
      }));
    });
    const exact = new Map(
      ranges
        .filter(({ cidr }) => cidr.prefixLength === (cidr.address.includes(':') ? 128 : 32))
        .map(({ cidr, then }) => [cidr.address, then]),
    );
    return (ip, port) => {
      const then = exact.get(ip) ?? ranges.find(({ cidr }) => cidrContains(cidr, ip))?.then;
      return then?.(ip, port) ?? otherwise(ip, port);
    };
  }
  if (treeType.case !== 'exactMatchMap') throw new ConfigProblem(path, 'expected exact_match_map');
  const entries = Object.entries(treeType.value.map).map(
    ([key, onMatch]) => [key, compileOnMatch(onMatch, chains, `${path}[${key}]`)] as const,
  );
  if (input?.typedConfig?.typeUrl.endsWith('.ApplicationProtocolInput')) {
    const http = entries.find(([key]) => key.includes('http/1.1'))?.[1] ?? otherwise;
    return (ip, port) => ({
      http: http(ip, port)?.http ?? null,
      tcp: otherwise(ip, port)?.tcp ?? null,
    });
  }
  const byPort = new Map(entries);
  return (ip, port) => (byPort.get(String(port)) ?? otherwise)(ip, port);
}

function compileOnMatch(
  onMatch: Matcher_OnMatch | undefined,
  chains: ReadonlyMap<string, Chain>,
  path: string,
): Choose {
  switch (onMatch?.onMatch.case) {
    case 'matcher':
      return compileMatcher(onMatch.onMatch.value, chains, path);
    case 'action': {
      const { value: name } = unpack(onMatch.onMatch.value.typedConfig, StringValueSchema, path);
      const chain = chains.get(name);
      if (chain === undefined)
        throw new ConfigProblem(path, `names filter chain ${name}, which does not exist`);
      const choice = { http: chain, tcp: chain };
      return () => choice;
    }
    default:
      return () => null;
  }
}

/** Null for chains that this proxy serves by itself, such as the HBONE terminator's. */
function compileChain(filterChain: FilterChain, path: string): Chain | null {
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
      return compileHttp(manager, authorization, { name, path: filterPath });
    } else if (isType(any, TcpProxySchema)) {
      const proxy = unpack(any, TcpProxySchema, filterPath);
      const targets = tcpTargets(proxy.clusterSpecifier, filterPath);
      const hashes = compileConnectionHash(proxy.hashPolicy, `${filterPath}.hash_policy`);
      const accessLog = compileAccessLog(proxy.accessLog);
      return { kind: 'tcp', name, authorization, targets, hashes, accessLog };
    }
  }
  return null;
}

function tcpTargets(
  specifier: ReturnType<typeof unpack<typeof TcpProxySchema>>['clusterSpecifier'],
  path: string,
): TcpChain['targets'] {
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
): HttpChain | null {
  const { routeSpecifier } = manager;
  if (isConnectTerminator(manager)) return null;
  if (routeSpecifier.case === undefined) throw new ConfigProblem(path, 'has no routes');
  const routes =
    routeSpecifier.case === 'routeConfig'
      ? compileRoutes(routeSpecifier.value)
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
    authorization: seenAs('request'),
    filters: compileChainFilters(manager.httpFilters, `${path}.http_filters`),
    serverName: manager.serverName || 'envoy',
    pathRules: compilePathRules(manager, path),
    proxiesContinue: manager.proxy100Continue,
    streamIdleTimeoutMs: durationMs(manager.streamIdleTimeout) ?? 300_000,
    maxConcurrentStreams: manager.http2ProtocolOptions?.maxConcurrentStreams ?? DEFAULT_MAX_STREAMS,
    accessLog: compileAccessLog(manager.accessLog),
    bytesAuthorization: seenAs('bytes'),
  };
}

function isConnectTerminator(manager: HttpConnectionManager): boolean {
  const { routeSpecifier } = manager;
  if (routeSpecifier.case !== 'routeConfig') return false;
  const routes = routeSpecifier.value.virtualHosts.flatMap(({ routes: inner }) => inner);
  return routes.some(({ match }) => match?.pathSpecifier.case === 'connectMatcher');
}

/** Filters that only observe, or are compiled elsewhere; one that decides and is unknown refuses the listener. */
const PASSED_OVER = new Set([
  'envoy.filters.http.local_ratelimit',
  'envoy.filters.http.router',
  'envoy.filters.http.grpc_stats',
  'envoy.filters.http.cors',
  'envoy.filters.http.fault',
  'waypoint_upstream_peer_metadata',
  'waypoint_downstream_peer_metadata',
  'istio.stats',
  'istio.alpn',
]);

function compileHttpFilter(
  filter: HttpFilter,
  path: string,
  view: AuthorizationView,
): AuthorizationFilter[] {
  const any = filter.configType.value;
  if (isType(any, HttpRbacSchema)) {
    const { rules } = unpack(any, HttpRbacSchema, path);
    return rules === undefined ? [] : [compileAuthorization(rules, `${path}.rules`, view)];
  }
  if (PASSED_OVER.has(filter.name)) return [];
  throw new ConfigProblem(path, `filter ${filter.name} is not supported`);
}
