import type { ConnectionPool } from '../upstream/connection-pool.ts';
import type { Balanced } from './balance/balancer.ts';
import { Breakers } from './breakers.ts';
import type { HostMonitor, Outcome } from './host-monitor.ts';

/** How an endpoint is reached. */
export type HostAddress =
  | {
      readonly kind: 'plain';
      readonly ip: string;
      readonly port: number;
      /** Further addresses of the same endpoint: of another family, or of the same name. Default: none. */
      readonly alternatives?: readonly string[];
    }
  /** A name that DNS is asked for whenever a connection is opened: `ip` is the name. */
  | {
      readonly kind: 'named';
      readonly ip: string;
      readonly port: number;
      readonly family: 4 | 6 | 'any';
    }
  /** Through the endpoint's own node proxy: a CONNECT to `ip:port` sent to `ip:15008`. */
  | { readonly kind: 'hbone'; readonly ip: string; readonly port: number };

/** What is known about the workload behind an endpoint (EDS metadata `istio.workload`). */
export interface HostMetadata {
  readonly workload: string;
  readonly namespace: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  readonly cluster: string;
}

const NO_LABELS: Readonly<Record<string, unknown>> = {};

/** One endpoint of a cluster. It lives as long as its address is configured, across updates. */
export class Host implements Balanced {
  readonly address: HostAddress;
  /** `ip:port`. */
  readonly name: string;
  readonly pool: ConnectionPool;
  /** Of its cluster. */
  readonly breakers: Breakers;
  metadata: HostMetadata | null = null;
  /** As it is configured. */
  isHealthy = true;
  weight = 1;
  hashKey: string;
  /** What it says of how it is reached. */
  socketLabels: Readonly<Record<string, unknown>> = NO_LABELS;
  /** Null where nobody looks for outliers. */
  monitor: HostMonitor | null = null;
  /** Requests under way, for least-request balancing. */
  active = 0;
  #servingSinceMs: number | null = null;

  constructor(address: HostAddress, pool: ConnectionPool, breakers: Breakers = new Breakers()) {
    this.address = address;
    this.name = `${address.ip}:${address.port}`;
    this.hashKey = this.name;
    this.pool = pool;
    this.breakers = breakers;
  }

  /** Whether it is healthy and not ejected. */
  get isUsable(): boolean {
    return this.isHealthy && this.monitor?.ejection.kind !== 'ejected';
  }

  /** When it last became healthy; an ejection does not count. */
  get servingSinceMs(): number | null {
    return this.#servingSinceMs;
  }

  setServing(nowMs: number): void {
    this.#servingSinceMs = this.isHealthy ? (this.#servingSinceMs ?? nowMs) : null;
  }

  /** How an attempt at it went, or a part of the attempt. */
  report(outcome: Outcome): void {
    this.monitor?.report(outcome);
  }
}
