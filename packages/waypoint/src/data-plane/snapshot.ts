import type { ClusterManager } from '../clusters/cluster-manager.ts';
import type { ChainChoice, CompiledListener, HttpChain } from '../compile/listener.ts';
import type { RouteTable } from '../compile/route.ts';

const MAIN = 'main_internal';

/** Everything a thread serves by. Listeners and routes are replaced whole; requests keep what they read. */
export class ServedConfig {
  readonly clusters: ClusterManager;
  readonly listeners: Map<string, CompiledListener> = new Map();
  readonly routes: Map<string, RouteTable> = new Map();

  constructor(clusters: ClusterManager) {
    this.clusters = clusters;
  }

  /** Where a tunnelled connection to `ip:port` goes; null if nothing is configured for it. */
  choose(ip: string, port: number): ChainChoice | null {
    return this.listeners.get(MAIN)?.choose(ip, port) ?? null;
  }

  routesOf(chain: HttpChain): RouteTable | null {
    return 'rds' in chain.routes ? (this.routes.get(chain.routes.rds) ?? null) : chain.routes;
  }
}
