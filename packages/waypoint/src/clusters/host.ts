import type { ConnectionPool } from '../upstream/connection-pool.ts';

/** How an endpoint is reached. */
export type HostAddress =
  | { readonly kind: 'plain'; readonly ip: string; readonly port: number }
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

/** One endpoint of a cluster. It lives as long as its address is configured, across updates. */
export class Host {
  readonly address: HostAddress;
  /** `ip:port`. */
  readonly name: string;
  readonly pool: ConnectionPool;
  metadata: HostMetadata | null = null;
  isHealthy = true;
  weight = 1;
  /** Requests under way, for least-request balancing. */
  active = 0;

  constructor(address: HostAddress, pool: ConnectionPool) {
    this.address = address;
    this.name = `${address.ip}:${address.port}`;
    this.pool = pool;
  }
}
