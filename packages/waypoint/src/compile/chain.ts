import type { ChainFilters } from '../filters/filters.ts';
import type { CompiledAccessLog } from '../telemetry/log-sinks.ts';
import type { ExternalCheck } from './ext-authz.ts';
import type { ConnectionHash } from './hash-policy.ts';
import type { MetricRules } from './metric-rules.ts';
import type { PathRules } from './path-rules.ts';
import type { AuthorizationFilter } from './rbac.ts';
import type { RouteTable } from './route.ts';
import type { CompiledTracing } from './tracing.ts';

/** What happens to the bytes of a connection. */
export type Chain = HttpChain | TcpChain;

export interface HttpChain {
  readonly kind: 'http';
  readonly name: string;
  readonly routes: RouteTable | { readonly rds: string };
  /** Who is asked before that, in order. */
  readonly externalChecks: readonly ExternalCheck[];
  /** In the order of the filters; empty when nothing is enforced. */
  readonly authorization: readonly AuthorizationFilter[];
  readonly filters: ChainFilters;
  readonly serverName: string;
  readonly pathRules: PathRules;
  /** A client that waits for 100 hears it from the upstream, not from here. */
  readonly proxiesContinue: boolean;
  /** Requests that a client may have under way on one connection of HTTP/2. */
  readonly maxConcurrentStreams: number;
  /** Requests may ask for WebSocket. */
  readonly takesWebSocket: boolean;
  /** Milliseconds without a byte on a stream; 0 is no limit. */
  readonly streamIdleTimeoutMs: number;
  readonly accessLog: CompiledAccessLog | null;
  /** Null where no spans are made. */
  readonly tracing: CompiledTracing | null;
  /** Null where metrics are counted as usual. */
  readonly metrics: MetricRules | null;
  /** The same policies as connections see them that were accepted before the port was one of HTTP. */
  readonly bytesAuthorization: readonly AuthorizationFilter[];
}

export interface TcpChain {
  readonly kind: 'tcp';
  readonly name: string;
  /** In the order of the filters; empty when nothing is enforced. */
  readonly authorization: readonly AuthorizationFilter[];
  readonly targets: readonly { readonly cluster: string; readonly weight: number }[];
  /** Milliseconds without a byte in either direction; 0 is no limit. */
  readonly idleTimeoutMs: number;
  /** Milliseconds from beginning to end; 0 is no limit. */
  readonly maxDurationMs: number;
  /** For clusters that balance by a hash. */
  readonly hashes: ConnectionHash;
  readonly accessLog: CompiledAccessLog | null;
  /** Null where metrics are counted as usual. */
  readonly metrics: MetricRules | null;
}

/** Where a connection goes by its destination and, for undeclared ports, by its first bytes. */
export interface ChainChoice {
  readonly http: Chain | null;
  readonly tcp: Chain | null;
}
