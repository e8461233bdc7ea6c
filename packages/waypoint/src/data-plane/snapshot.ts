import type { SocketAddress } from '@aquifer/wire';
import type { ClusterManager } from '../clusters/cluster-manager.ts';
import type { Chain, ChainChoice, HttpChain } from '../compile/chain.ts';
import type { CompiledListener } from '../compile/listener.ts';
import type { RouteTable } from '../compile/route.ts';

/** The listener that tunnelled connections come to. */
export const MAIN = 'main_internal';

/**
 * Node proxies hear of a change when we do, or a moment sooner or later: on a machine that is busy, or over a network that
 * loses packets, that is seconds. For so long, in milliseconds, what was removed is still served, and connections to what
 * is not known yet wait; as long as a node proxy waits for what it does not know.
 */
export const CHANGE_SPREADS_MS = 5_000;

interface Waiting {
  readonly ip: string;
  readonly port: number;
  readonly found: (choice: ChainChoice) => void;
}

/**
 * Everything a thread serves by. Listeners and routes are replaced whole; requests keep what they read. Whoever holds a
 * chain is told of every change (`OpenConnection.judgeAgain`), and asks what holds since then: so it never holds one that was
 * replaced before its address was removed.
 */
export class ServedConfig {
  /** This proxy is about to end: who is answered hears that it is for the last time. */
  isEnding = false;
  readonly clusters: ClusterManager;
  readonly listeners: Map<string, CompiledListener> = new Map();
  readonly routes: Map<string, RouteTable> = new Map();
  /** Versions of the main listener that were replaced a moment ago, newest first. */
  readonly #replaced: CompiledListener[] = [];
  readonly #waiting = new Set<Waiting>();

  constructor(clusters: ClusterManager) {
    this.clusters = clusters;
  }

  /** Replaces the listener of that name. */
  setListener(listener: CompiledListener): void {
    const before = this.listeners.get(listener.name);
    this.listeners.set(listener.name, listener);
    if (listener.name !== MAIN) return;
    if (before !== undefined) {
      this.#replaced.unshift(before);
      setTimeout(() => this.#replaced.pop(), CHANGE_SPREADS_MS).unref();
    }
    for (const waiting of this.#waiting) {
      const choice = listener.choose(waiting.ip, waiting.port);
      if (choice !== null) waiting.found(choice);
    }
  }

  /** Where connections to `ip:port` go that the listener has accepted. */
  chosenNow(listener: string, { ip, port }: SocketAddress): ChainChoice | null {
    return this.listeners.get(listener)?.choose(ip, port) ?? null;
  }

  /**
   * Where a connection goes by now that went as `before`. What the listener no longer has at that address it may have at
   * another: a service that was made anew has its policies wherever it is asked for.
   */
  chosenSince(listener: string, destination: SocketAddress, before: ChainChoice): ChainChoice {
    return this.chosenNow(listener, destination) ?? this.#newest(listener, before);
  }

  /** Whether anything is configured for `ip:port`, or was a moment ago. */
  isServed(listener: string, { ip, port }: SocketAddress): boolean {
    return (
      this.chosenNow(listener, { ip, port }) !== null || this.#chooseReplaced(ip, port) !== null
    );
  }

  /** Where a tunnelled connection to `ip:port` goes; null if nothing is configured for it, or was a moment ago. */
  choose(ip: string, port: number): ChainChoice | null {
    return this.chosenNow(MAIN, { ip, port }) ?? this.#chooseReplaced(ip, port);
  }

  /** As `choose`, of what is configured within a moment. */
  chooseSoon(ip: string, port: number): Promise<ChainChoice | null> {
    return new Promise((resolve) => {
      const end = (choice: ChainChoice | null): void => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
        resolve(choice);
      };
      const waiting: Waiting = { ip, port, found: end };
      const timer = setTimeout(() => end(null), CHANGE_SPREADS_MS);
      this.#waiting.add(waiting);
    });
  }

  #chooseReplaced(ip: string, port: number): ChainChoice | null {
    for (const listener of this.#replaced) {
      const choice = listener.choose(ip, port);
      if (choice !== null) return this.#newest(MAIN, choice);
    }
    return null;
  }

  #newest(listener: string, { http, tcp }: ChainChoice): ChainChoice {
    const chains = this.listeners.get(listener)?.chains;
    const newest = (chain: Chain | null): Chain | null =>
      chain && (chains?.get(chain.name) ?? chain);
    return { http: newest(http), tcp: newest(tcp) };
  }

  routesOf(chain: HttpChain): RouteTable | null {
    return 'rds' in chain.routes ? (this.routes.get(chain.routes.rds) ?? null) : chain.routes;
  }
}
