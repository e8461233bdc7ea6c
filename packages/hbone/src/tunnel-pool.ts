import { Http2Error } from '@aquifer/http';
import type { ConnectedStream, Tunnel } from './connect-dialer.ts';
import { HboneError } from './errors.ts';

/** Spec ztunnel 3.7. */
const DEFAULT_MAX_STREAMS = 100;
const DEFAULT_IDLE_MS = 300_000;
/** Tunnels on which a request is tried, while peers go away or stay silent before they have answered it. */
const MAX_ATTEMPTS = 3;

export interface TunnelPoolOptions {
  /** CONNECT streams per tunnel, further limited by what the peer allows. Default 100. */
  readonly maxStreams?: number;
  /** A tunnel without checkout for this long is closed when its last stream ends. Default 5 minutes. */
  readonly idleMs?: number;
  readonly now?: () => number;
}

/** What a CONNECT says. */
export interface ConnectHead {
  readonly authority: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface Pooled {
  readonly tunnel: Tunnel;
  usedAtMs: number;
}

/** A request that has no tunnel yet. */
interface Waiter {
  readonly head: ConnectHead;
  readonly dial: () => Promise<Tunnel>;
  readonly resolve: (connected: Promise<ConnectedStream>) => void;
  readonly reject: (error: unknown) => void;
}

/** The tunnels to one peer, and who waits for one. */
class Peer {
  readonly tunnels: Pooled[] = [];
  readonly waiters: Waiter[] = [];
  isDialing = false;

  get isUnused(): boolean {
    return this.tunnels.length === 0 && this.waiters.length === 0 && !this.isDialing;
  }
}

/**
 * Tunnels that can carry another stream, by key. Always: at most one dial per key is under way; who waits is served in
 * order, from room that is really there, since a request takes its stream in the same moment; a tunnel that is full,
 * silent or no longer usable is never handed out.
 */
export class TunnelPool {
  readonly #maxStreams: number;
  readonly #idleMs: number;
  readonly #now: () => number;
  readonly #peers = new Map<string, Peer>();
  readonly #sweeper: NodeJS.Timeout;
  /** `draining`: tunnels are made for who still asks, and kept by nobody. */
  #phase: 'open' | 'draining' | 'aborted' = 'open';

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
   * Opens a CONNECT stream on a pooled tunnel, or on one made by `dial`. Nothing has been sent through a stream before it
   * is answered, so a request is repeated on another tunnel when its own ended or fell silent without an answer.
   */
  async connect(
    key: string,
    dial: () => Promise<Tunnel>,
    head: ConnectHead,
  ): Promise<ConnectedStream> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#take(key, dial, head);
      } catch (error) {
        if (!(error instanceof FailedConnect)) throw error;
        if (attempt === MAX_ATTEMPTS || !error.isUnanswered) throw error.cause;
      }
    }
  }

  /** Tunnels held, for metrics and tests. */
  get size(): number {
    let size = 0;
    for (const { tunnels } of this.#peers.values()) size += tunnels.length;
    return size;
  }

  /** Closes every tunnel when its streams have ended. */
  drain(): void {
    clearInterval(this.#sweeper);
    this.#phase = 'draining';
    for (const { tunnels } of this.#peers.values()) {
      for (const { tunnel } of tunnels.splice(0)) tunnel.close();
    }
  }

  /** Ends every tunnel, and those that are being made. */
  abort(): void {
    clearInterval(this.#sweeper);
    this.#phase = 'aborted';
    for (const peer of this.#peers.values()) {
      for (const { tunnel } of peer.tunnels.splice(0)) tunnel.abort();
      this.#failWaiters(peer, aborted());
    }
    this.#peers.clear();
  }

  #take(key: string, dial: () => Promise<Tunnel>, head: ConnectHead): Promise<ConnectedStream> {
    if (this.#phase === 'aborted') return Promise.reject(aborted());
    const peer = this.#peers.get(key) ?? new Peer();
    this.#peers.set(key, peer);
    const taken = Promise.withResolvers<ConnectedStream>();
    peer.waiters.push({ head, dial, resolve: taken.resolve, reject: taken.reject });
    this.#serve(key, peer);
    return taken.promise;
  }

  #serve(key: string, peer: Peer): void {
    for (let waiter = peer.waiters[0]; waiter !== undefined; waiter = peer.waiters[0]) {
      const tunnel = this.#withRoom(peer);
      if (tunnel === null) {
        this.#dial(key, peer, waiter.dial);
        return;
      }
      peer.waiters.shift();
      waiter.resolve(connectOn(tunnel, waiter.head));
    }
  }

  #withRoom({ tunnels }: Peer): Tunnel | null {
    for (const entry of tunnels) {
      const { tunnel } = entry;
      if (!tunnel.isUsable || tunnel.isSilent || tunnel.openStreams >= this.#limit(tunnel))
        continue;
      entry.usedAtMs = this.#now();
      return tunnel;
    }
    return null;
  }

  #limit(tunnel: Tunnel): number {
    return Math.min(this.#maxStreams, tunnel.maxStreams);
  }

  #dial(key: string, peer: Peer, dial: () => Promise<Tunnel>): void {
    if (peer.isDialing) return;
    peer.isDialing = true;
    dial().then(
      (tunnel) => {
        peer.isDialing = false;
        this.#add(key, peer, tunnel);
      },
      (error: unknown) => {
        peer.isDialing = false;
        this.#failWaiters(peer, error);
        this.#forgetUnused(key, peer);
      },
    );
  }

  #add(key: string, peer: Peer, tunnel: Tunnel): void {
    if (this.#phase === 'aborted') {
      tunnel.abort();
      return;
    }
    const entry = { tunnel, usedAtMs: this.#now() };
    peer.tunnels.push(entry);
    tunnel.onClose(() => this.#remove(key, peer, entry));
    // Otherwise one that is useless from the start would be dialled again and again.
    const flaw = this.#flawOf(tunnel);
    if (flaw !== null) {
      this.#failWaiters(peer, new FailedConnect(new HboneError('HB_HTTP2_FAILED', flaw), tunnel));
    }
    this.#serve(key, peer);
    if (this.#phase !== 'draining') return;
    this.#remove(key, peer, entry);
    tunnel.close();
  }

  #flawOf(tunnel: Tunnel): string | null {
    if (!tunnel.isUsable) return 'the peer ended the connection as soon as it was made';
    return this.#limit(tunnel) <= 0 ? 'the peer allows no streams' : null;
  }

  #failWaiters({ waiters }: Peer, error: unknown): void {
    for (const { reject } of waiters.splice(0)) reject(error);
  }

  #remove(key: string, peer: Peer, entry: Pooled): void {
    const index = peer.tunnels.indexOf(entry);
    if (index >= 0) peer.tunnels.splice(index, 1);
    this.#forgetUnused(key, peer);
  }

  #forgetUnused(key: string, peer: Peer): void {
    if (peer.isUnused && this.#peers.get(key) === peer) this.#peers.delete(key);
  }

  #releaseIdle(): void {
    const before = this.#now() - this.#idleMs;
    for (const [key, peer] of this.#peers) {
      for (const entry of [...peer.tunnels]) {
        if (entry.usedAtMs > before) continue;
        this.#remove(key, peer, entry);
        entry.tunnel.close();
      }
    }
  }
}

function aborted(): HboneError {
  return new HboneError('HB_DIAL_FAILED', 'the proxy of this pod has ended');
}

/** What a tunnel answered instead of 200, or that it did not answer. */
class FailedConnect extends Error {
  readonly isUnanswered: boolean;

  constructor(cause: unknown, tunnel: Tunnel) {
    super('connect failed', { cause });
    this.isUnanswered = isUnanswered(cause, tunnel);
  }
}

/** The stream is taken when this returns. */
async function connectOn(tunnel: Tunnel, head: ConnectHead): Promise<ConnectedStream> {
  try {
    return await tunnel.connect(head.authority, head.headers);
  } catch (error) {
    throw new FailedConnect(error, tunnel);
  }
}

/** The peer did not look at the request, or its tunnel ended or fell silent before the answer. */
function isUnanswered(error: unknown, tunnel: Tunnel): boolean {
  if (!(error instanceof HboneError)) return false;
  const { cause } = error;
  if (cause instanceof Http2Error && cause.isUnprocessed) return true;
  if (error.code !== 'HB_NO_ANSWER' && error.code !== 'HB_HTTP2_FAILED') return false;
  return !tunnel.isUsable || tunnel.isSilent;
}
