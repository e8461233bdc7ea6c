import type { SocketAddress } from '@aquifer/wire';
import type { HttpChain } from '../compile/chain.ts';
import type { AuthorizationFilter } from '../compile/rbac.ts';
import type { ServedConfig } from '../data-plane/snapshot.ts';
import type { RequestSeries, RequestTelemetry } from '../telemetry/request-telemetry.ts';
import type { SourcePeer } from '../telemetry/source-peer.ts';
import type { HttpVersion } from '../upstream/request-pool.ts';
import type { TimerWheel } from './timer-wheel.ts';

/** A connection while it is open. */
export interface OpenConnection {
  /** The configuration has changed: what has been allowed may be denied by now. */
  judgeAgain(): void;
  /** Somebody waits for what is under way on it. */
  readonly isBusy: boolean;
  /** What is under way goes on, and is the last. */
  drain(): void;
  /** Ends it unless it is busy. */
  closeIfIdle(): void;
  /** Ends what has been upgraded behind what was written: it may last as long as it likes otherwise. */
  endUpgrades(): void;
}

/** What all connections of a thread share. */
export interface EngineDeps {
  readonly config: ServedConfig;
  readonly timers: TimerWheel;
  readonly telemetry: RequestTelemetry;
  readonly connections: Set<OpenConnection>;
}

/** Where a connection came from and where it aimed. */
export interface ConnectionInfo {
  /** Name of the listener that accepted it. */
  readonly listener: string;
  readonly source: SourcePeer;
  readonly client: SocketAddress;
  readonly destination: SocketAddress;
}

/** A request that has made another protocol of its exchange, or asks to. */
export interface UpgradedRequest {
  /** By policies that are in force now. One that has not come to be authorized yet is judged by them too, when it does. */
  judge(policies: readonly AuthorizationFilter[]): void;
  /** Ends it behind what was written. */
  end(): void;
}

/** What the requests of one connection share while the configuration stays as it is. */
export interface HttpConnection {
  readonly version: HttpVersion;
  readonly chain: HttpChain;
  readonly info: ConnectionInfo;
  readonly clientText: string;
  readonly destinationText: string;
  /** Counters of the requests so far. */
  readonly series: RequestSeries[];
  readonly upgrades: Set<UpgradedRequest>;
  readonly deps: EngineDeps;
}
