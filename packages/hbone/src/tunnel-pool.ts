import { Http2Error } from '@aquifer/http';
import type { ConnectedStream, Tunnel } from './connect-dialer.ts';
import { HboneError } from './errors.ts';

/** Spec ztunnel 3.7. */
const DEFAULT_MAX_STREAMS = 100;
const DEFAULT_IDLE_MS = 300_000;
/** Tunnels on which a request is tried, while peers that go away leave it unread. */
const MAX_ATTEMPTS = 3;

export interface TunnelPoolOptions {
  /** CONNECT streams per tunnel, further limited by what the peer allows. Default 100. */
  readonly maxStreams?: number;
  /** A tunnel without checkout for this long is closed when its last stream ends. Default 5 minutes. */
  readonly idleMs?: number;
  readonly now?: () => number;
}

interface Pooled {
  readonly tunnel: Tunnel;
  usedAtMs: number;
}

/**
 * Tunnels that can carry another stream, by key. Always: at most one dial per key is under way, and a tunnel that
 * is full or no longer usable is never handed out.
 */
export class TunnelPool {
  readonly #maxStreams: number;
  readonly #idleMs: number;
  readonly #now: () => number;
  readonly #tunnels = new Map<string, Pooled[]>();
  readonly #dialing = new Map<string, Promise<Tunnel>>();
  readonly #sweeper: NodeJS.Timeout;

  constructor(options: TunnelPoolOptions = {}) {
    this.#maxStreams = options.maxStreams ?? DEFAULT_MAX_STREAMS;
    this.#idleMs = options.idleMs ?? DEFAULT_IDLE_MS;
    this.#now = options.now ?? Date.now;
    this.#sweeper = setInterval(
      () => {
        this.#releaseIdle();
      },
      Math.min(this.#idleMs, 30_000),
    ).unref();
  }

  /**
   * Opens a CONNECT stream on a pooled tunnel, or on one made by `dial`. A peer that closes the tunnel without having
   * looked at the request is asked again.
   */
  async connect(
    key: string,
    dial: () => Promise<Tunnel>,
    request: { readonly authority: string; readonly headers: Readonly<Record<string, string>> },
  ): Promise<ConnectedStream> {
    for (let attempt = 1; ; attempt++) {
      const tunnel = this.#findUsable(key) ?? (await this.#dialOnce(key, dial));
      try {
        return await tunnel.connect(request.authority, request.headers);
      } catch (error) {
        if (attempt === MAX_ATTEMPTS || !isUnprocessed(error)) throw error;
      }
    }
  }

  /** Tunnels held, for metrics and tests. */
  get size(): number {
    let size = 0;
    for (const pooled of this.#tunnels.values()) size += pooled.length;
    return size;
  }

  /** Closes every tunnel when its streams have ended. */
  drain(): void {
    clearInterval(this.#sweeper);
    for (const pooled of this.#tunnels.values()) for (const { tunnel } of pooled) tunnel.close();
    this.#tunnels.clear();
  }

  abort(): void {
    clearInterval(this.#sweeper);
    for (const pooled of this.#tunnels.values()) for (const { tunnel } of pooled) tunnel.abort();
    this.#tunnels.clear();
  }

  #findUsable(key: string): Tunnel | null {
    const pooled = this.#tunnels.get(key);
    if (pooled === undefined) return null;
    for (const entry of pooled) {
      if (entry.tunnel.isUsable && entry.tunnel.openStreams < this.#limit(entry.tunnel)) {
        entry.usedAtMs = this.#now();
        return entry.tunnel;
      }
    }
    return null;
  }

  #limit(tunnel: Tunnel): number {
    return Math.min(this.#maxStreams, tunnel.maxStreams);
  }

  /** Callers that arrive while a tunnel is being made wait for it, until it is full. */
  async #dialOnce(key: string, dial: () => Promise<Tunnel>): Promise<Tunnel> {
    const underWay = this.#dialing.get(key);
    if (underWay !== undefined) {
      const tunnel = await underWay;
      if (tunnel.isUsable && tunnel.openStreams < this.#limit(tunnel)) return tunnel;
      return this.#findUsable(key) ?? this.#dialOnce(key, dial);
    }
    const dialed = dial();
    this.#dialing.set(key, dialed);
    try {
      const tunnel = await dialed;
      this.#add(key, tunnel);
      return tunnel;
    } finally {
      this.#dialing.delete(key);
    }
  }

  #add(key: string, tunnel: Tunnel): void {
    const pooled = this.#tunnels.get(key) ?? [];
    pooled.push({ tunnel, usedAtMs: this.#now() });
    this.#tunnels.set(key, pooled);
    tunnel.onClose(() => {
      this.#remove(key, tunnel);
    });
  }

  #remove(key: string, tunnel: Tunnel): void {
    const rest = (this.#tunnels.get(key) ?? []).filter((entry) => entry.tunnel !== tunnel);
    if (rest.length === 0) this.#tunnels.delete(key);
    else this.#tunnels.set(key, rest);
  }

  #releaseIdle(): void {
    const before = this.#now() - this.#idleMs;
    for (const [key, pooled] of this.#tunnels) {
      for (const { tunnel, usedAtMs } of pooled) {
        if (usedAtMs > before) continue;
        this.#remove(key, tunnel);
        tunnel.close();
      }
    }
  }
}

function isUnprocessed(error: unknown): boolean {
  return (
    error instanceof HboneError && error.cause instanceof Http2Error && error.cause.isUnprocessed
  );
}
