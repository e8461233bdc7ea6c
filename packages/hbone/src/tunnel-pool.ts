import type { Duplex } from 'node:stream';
import type { MeshError } from '@aquifer/model';
import { openTunnel, type TunnelRules } from './connect-dialer.ts';
import { type HboneErrorCode, hboneError } from './errors.ts';
import type { PeerExpectation } from './peer-identity.ts';
import type { HboneSecureContext } from './tls.ts';
import type {
  AnswerTimes,
  ConnectAttempt,
  ConnectHead,
  ConnectWaiter,
  Tunnel,
  TunnelLease,
} from './tunnel.ts';

/** Spec ztunnel 3.7. */
const DEFAULT_MAX_STREAMS = 100;
const DEFAULT_IDLE_MS = 300_000;
/** Tunnels on which a request is tried, while peers go away or stay silent before they have answered it. */
const MAX_ATTEMPTS = 3;

/** Where a connection is to go through a tunnel. What is the same for all but `connect` shares tunnels. */
export interface TunnelTarget {
  /** The peer's HBONE listener. */
  readonly hop: { readonly ip: string; readonly port: number };
  /** SPIFFE URI of the identity to show. */
  readonly identity: string;
  readonly peer: PeerExpectation;
  /** On whose behalf: tunnels are not shared between clients (spec ztunnel 3.7). Empty if they are. */
  readonly clientIp: string;
  readonly connect: ConnectHead;
}

/** What a pool needs to make tunnels. */
export interface TunnelDialer extends TunnelRules {
  /** Waits for the certificate of the identity if need be. */
  secureContext(identity: string): HboneSecureContext | Promise<HboneSecureContext>;
  /** A connection to a hop, in its own time; what it throws is what waiting callers get. */
  dial(hop: TunnelTarget['hop']): Promise<Duplex>;
}

export interface TunnelPoolOptions {
  readonly dialer: TunnelDialer;
  /** CONNECT streams per tunnel, further limited by what the peer allows. Default 100. */
  readonly maxStreams?: number;
  /** A tunnel without checkout for this long is closed when its last stream ends. Default 5 minutes. */
  readonly idleMs?: number;
  /** Default: see `openTunnel`. */
  readonly answerTimes?: AnswerTimes;
}

export interface LeaseOptions {
  /** Gives up so many ms from now, with `HB_NO_ANSWER`. Default: the times of dialling, and 20 s for the answer. */
  readonly deadlineMs?: number;
  /** Gives up when it is aborted, with `HB_GIVEN_UP`. */
  readonly signal?: AbortSignal;
}

interface Pooled {
  readonly tunnel: Tunnel;
  usedAtMs: number;
}

/** The tunnels to one peer, and who waits for one. */
class Peer {
  readonly key: string;
  /** Of whoever asked first: they all say the same about the peer. */
  readonly target: TunnelTarget;
  readonly tunnels: Pooled[] = [];
  readonly waiters: Waiter[] = [];
  isDialing = false;

  constructor(key: string, target: TunnelTarget) {
    this.key = key;
    this.target = target;
  }

  get isUnused(): boolean {
    return this.tunnels.length === 0 && this.waiters.length === 0 && !this.isDialing;
  }
}

/**
 * Tunnels that can carry another stream. Always: at most one dial per peer is under way; who waits is served in
 * order, from room that is really there, since a request takes its stream in the same moment; a tunnel that is full,
 * silent or no longer usable is never handed out.
 */
export class TunnelPool {
  readonly #options: TunnelPoolOptions;
  readonly #maxStreams: number;
  readonly #idleMs: number;
  readonly #peers = new Map<string, Peer>();
  readonly #sweeper: NodeJS.Timeout;
  /** `draining`: tunnels are made for who still asks, and kept by nobody. */
  #phase: 'open' | 'draining' | 'aborted' = 'open';

  constructor(options: TunnelPoolOptions) {
    this.#options = options;
    this.#maxStreams = options.maxStreams ?? DEFAULT_MAX_STREAMS;
    this.#idleMs = options.idleMs ?? DEFAULT_IDLE_MS;
    const periodMs = Math.min(this.#idleMs, 30_000);
    this.#sweeper = setInterval(() => this.#releaseIdle(), periodMs).unref();
  }

  /**
   * Opens a CONNECT stream on a pooled tunnel, or on a new one. Nothing has been sent through a stream before it is
   * answered, so a request is repeated on another tunnel when its own ended or fell silent without an answer. Throws a
   * `MeshError` that says whether another endpoint may be tried, or what the dialer threw.
   */
  lease(target: TunnelTarget, options?: LeaseOptions): Promise<TunnelLease> {
    if (this.#phase === 'aborted') return Promise.reject(aborted());
    return new Promise((resolve, reject) => {
      const waiter = new Waiter(target, { resolve, reject, onAgain: this.#onAgain });
      if (options !== undefined) waiter.limit(options);
      if (waiter.isWaiting) this.#queue(waiter);
    });
  }

  /** Tunnels held, for metrics and tests. */
  get size(): number {
    let size = 0;
    for (const { tunnels } of this.#peers.values()) size += tunnels.length;
    return size;
  }

  /** Closes every tunnel when its streams have ended, and tells peers at once that this will be. */
  drain(): void {
    clearInterval(this.#sweeper);
    this.#phase = 'draining';
    for (const { tunnels } of this.#peers.values()) {
      for (const { tunnel } of tunnels.splice(0)) tunnel.leave();
    }
  }

  /** Ends every tunnel, and those that are being made. */
  abort(): void {
    clearInterval(this.#sweeper);
    this.#phase = 'aborted';
    for (const peer of this.#peers.values()) {
      this.#failWaiters(peer, aborted());
      for (const { tunnel } of peer.tunnels.splice(0)) tunnel.abort();
    }
    this.#peers.clear();
  }

  #peerOf(target: TunnelTarget): Peer {
    const { identity, peer: expected, hop, clientIp } = target;
    const key = `${identity}|${expected.match}|${expected.uris.join(',')}|${hop.ip}|${hop.port}|${clientIp}`;
    let peer = this.#peers.get(key);
    if (peer === undefined) {
      peer = new Peer(key, target);
      this.#peers.set(key, peer);
    }
    return peer;
  }

  #queue(waiter: Waiter): void {
    const peer = this.#peerOf(waiter.target);
    peer.waiters.push(waiter);
    this.#serve(peer);
  }

  readonly #onAgain = (waiter: Waiter): void => {
    if (!waiter.isWaiting) return;
    if (this.#phase === 'aborted') waiter.fail(aborted());
    else this.#queue(waiter);
  };

  #serve(peer: Peer): void {
    for (let waiter = peer.waiters[0]; waiter !== undefined; waiter = peer.waiters[0]) {
      if (!waiter.isWaiting) {
        peer.waiters.shift();
        continue;
      }
      const tunnel = this.#withRoom(peer);
      if (tunnel === null) {
        this.#dial(peer);
        return;
      }
      peer.waiters.shift();
      waiter.ask(tunnel);
    }
  }

  #withRoom({ tunnels }: Peer): Tunnel | null {
    for (const entry of tunnels) {
      const { tunnel } = entry;
      if (!tunnel.isUsable || tunnel.isSilent) continue;
      if (tunnel.openStreams >= this.#limit(tunnel)) continue;
      entry.usedAtMs = performance.now();
      return tunnel;
    }
    return null;
  }

  #limit(tunnel: Tunnel): number {
    return Math.min(this.#maxStreams, tunnel.maxStreams);
  }

  #dial(peer: Peer): void {
    if (peer.isDialing) return;
    peer.isDialing = true;
    let entry: Pooled | null = null;
    const onClose = (): void => {
      if (entry !== null) this.#remove(peer, entry);
    };
    this.#openTunnel(peer.target, onClose).then(
      (tunnel) => {
        peer.isDialing = false;
        entry = { tunnel, usedAtMs: performance.now() };
        this.#add(peer, entry);
      },
      (error: unknown) => {
        peer.isDialing = false;
        this.#failWaiters(peer, error);
        this.#forgetUnused(peer);
      },
    );
  }

  async #openTunnel(target: TunnelTarget, onClose: () => void): Promise<Tunnel> {
    const { dialer, answerTimes } = this.#options;
    const secureContext = await dialer.secureContext(target.identity);
    const socket = await dialer.dial(target.hop);
    const { revocations, http2 } = dialer;
    const options = { secureContext, revocations, http2, peer: target.peer, onClose };
    return openTunnel(socket, answerTimes === undefined ? options : { ...options, answerTimes });
  }

  #add(peer: Peer, entry: Pooled): void {
    const { tunnel } = entry;
    if (this.#phase === 'aborted') {
      tunnel.abort();
      return;
    }
    // The end of one that has ended already was told before.
    if (this.#phase === 'open' && tunnel.isUsable) peer.tunnels.push(entry);
    // Otherwise one that is useless from the start would be dialled again and again.
    const flaw = this.#flawOf(tunnel);
    if (flaw !== null) {
      this.#failWaiters(peer, hboneError('HB_HTTP2_FAILED', flaw), !tunnel.isUsable);
    }
    if (this.#phase === 'draining') this.#serveLast(peer, entry);
    else this.#serve(peer);
    this.#forgetUnused(peer);
  }

  /** Whoever asks while the pool drains has the tunnel's streams, and nobody after. */
  #serveLast(peer: Peer, entry: Pooled): void {
    peer.tunnels.push(entry);
    this.#serve(peer);
    this.#remove(peer, entry);
    entry.tunnel.leave();
  }

  #flawOf(tunnel: Tunnel): string | null {
    if (!tunnel.isUsable) return 'the peer ended the connection as soon as it was made';
    return this.#limit(tunnel) <= 0 ? 'the peer allows no streams' : null;
  }

  #failWaiters({ waiters }: Peer, error: unknown, mayTryAgain = false): void {
    for (const waiter of waiters.splice(0)) {
      if (mayTryAgain) waiter.onFailed(error as MeshError<HboneErrorCode>, true);
      else waiter.fail(error);
    }
  }

  #remove(peer: Peer, entry: Pooled): void {
    const index = peer.tunnels.indexOf(entry);
    if (index >= 0) peer.tunnels.splice(index, 1);
    this.#forgetUnused(peer);
  }

  #forgetUnused(peer: Peer): void {
    if (peer.isUnused && this.#peers.get(peer.key) === peer) this.#peers.delete(peer.key);
  }

  #releaseIdle(): void {
    const before = performance.now() - this.#idleMs;
    for (const peer of this.#peers.values()) {
      for (const entry of [...peer.tunnels]) {
        if (entry.usedAtMs > before) continue;
        this.#remove(peer, entry);
        entry.tunnel.close();
      }
    }
  }
}

function aborted(): MeshError<HboneErrorCode> {
  return hboneError('HB_TUNNEL_ABORTED', 'the proxy of this pod has ended');
}

/**
 * ```
 * waiting ── a tunnel has room ──► asking ── answered, refused, or given up ──► settled
 *    └◄───────── unanswered ─────────┘
 * ```
 */
type WaiterState =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'asking'; readonly attempt: ConnectAttempt | null }
  | { readonly kind: 'settled' };

const WAITING: WaiterState = { kind: 'waiting' };
const ASKING: WaiterState = { kind: 'asking', attempt: null };
const SETTLED: WaiterState = { kind: 'settled' };

interface WaiterDeps {
  readonly resolve: (lease: TunnelLease) => void;
  readonly reject: (error: unknown) => void;
  /** It was not answered, and is to be asked again. */
  readonly onAgain: (waiter: Waiter) => void;
}

/** A request that has no stream yet. */
class Waiter implements ConnectWaiter {
  readonly target: TunnelTarget;
  readonly #deps: WaiterDeps;
  #state: WaiterState = WAITING;
  #attempts = 0;
  #unlimit: (() => void) | null = null;

  constructor(target: TunnelTarget, deps: WaiterDeps) {
    this.target = target;
    this.#deps = deps;
  }

  get head(): ConnectHead {
    return this.target.connect;
  }

  get isWaiting(): boolean {
    return this.#state.kind === 'waiting';
  }

  limit({ deadlineMs, signal }: LeaseOptions): void {
    if (deadlineMs === undefined && signal === undefined) return;
    const onAbort = (): void => this.#giveUp(hboneError('HB_GIVEN_UP', 'the caller has given up'));
    const timer =
      deadlineMs === undefined
        ? null
        : setTimeout(() => {
            const text = `no stream within ${deadlineMs / 1000} s`;
            this.#giveUp(hboneError('HB_NO_ANSWER', text));
          }, deadlineMs);
    this.#unlimit = () => {
      if (timer !== null) clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort);
  }

  ask(tunnel: Tunnel): void {
    this.#attempts += 1;
    this.#state = ASKING;
    const attempt = tunnel.connect(this);
    // It may have failed at once.
    if (this.#state === ASKING) this.#state = { kind: 'asking', attempt };
  }

  onConnected(lease: TunnelLease): void {
    this.#settle();
    this.#deps.resolve(lease);
  }

  onFailed(error: MeshError<HboneErrorCode>, isUnanswered: boolean): void {
    if (this.#state.kind === 'settled') return;
    // Its tunnel was of no use before it could be asked.
    if (this.#state.kind === 'waiting') this.#attempts += 1;
    if (!isUnanswered || this.#attempts >= MAX_ATTEMPTS) {
      this.fail(error);
      return;
    }
    this.#state = WAITING;
    // Not within what is being told: the tunnel it failed on may be about to say that it has ended.
    queueMicrotask(() => this.#deps.onAgain(this));
  }

  fail(error: unknown): void {
    this.#settle();
    this.#deps.reject(error);
  }

  #giveUp(error: MeshError<HboneErrorCode>): void {
    const state = this.#state;
    this.fail(error);
    if (state.kind === 'asking') state.attempt?.giveUp(error);
  }

  #settle(): void {
    this.#state = SETTLED;
    this.#unlimit?.();
    this.#unlimit = null;
  }
}
