// hot path: gives a connection to every attempt
import type { Duplex } from 'node:stream';
import { whenTunnelEnds } from '@aquifer/hbone';
import { type ClientConnection, Http2Connection, type HttpError } from '@aquifer/http';
import { OVERFLOW, QUEUE_OVERFLOW } from '../clusters/breakers.ts';
import { ConnectionQueue } from '../clusters/connection-queue.ts';
import { CLIENT_LIMITS } from './http2-limits.ts';
import { closeWithAge, sweepMs } from './lifetimes.ts';
import type { PoolOptions, RequestPool, RequestWaiter } from './request-pool.ts';

/** A peer that accepts a connection and then says nothing is none of HTTP/2. */
const SETTINGS_TIMEOUT_MS = 10_000;

interface Pooled {
  readonly connection: Http2Connection;
  /** Requests that were ever sent on it. */
  requests: number;
  /** When a sweep first found no request on it, in milliseconds; null if the last one found some. */
  idleSinceMs: number | null;
}

/** Many requests at a time on each. Another connection is made when the peer takes no more on those that there are. */
export class Http2Pool implements RequestPool {
  readonly #options: PoolOptions;
  readonly #queue: ConnectionQueue<ClientConnection>;
  readonly #connections: Pooled[] = [];
  #isConnecting = false;
  #sweeper: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#queue = new ConnectionQueue(options.breakers);
  }

  take(): ClientConnection | null {
    const pooled = this.#usable();
    if (pooled === null || !this.#options.breakers.admitRequest()) return null;
    return this.#use(pooled);
  }

  wait(waiter: RequestWaiter): void {
    if (this.#usable() !== null) waiter.onNoConnection(OVERFLOW);
    else if (this.#queue.wait(waiter)) this.#openIfWanted();
    else waiter.onNoConnection(QUEUE_OVERFLOW);
  }

  cancel(waiter: RequestWaiter): void {
    this.#queue.cancel(waiter);
  }

  release(_connection: ClientConnection): void {
    this.#offer();
  }

  close(): void {
    this.#isClosed = true;
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    this.#sweeper = null;
    for (const { connection } of [...this.#connections]) connection.close();
  }

  #usable(): Pooled | null {
    for (const pooled of this.#connections) {
      if (pooled.connection.isUsable && !this.#isFull(pooled)) return pooled;
    }
    return null;
  }

  #isFull(pooled: Pooled): boolean {
    const { maxStreams } = this.#options.lifetimes();
    const isCrowded = maxStreams > 0 && pooled.connection.openStreams >= maxStreams;
    return isCrowded || this.#isUsedUp(pooled);
  }

  #isUsedUp({ requests }: Pooled): boolean {
    const { maxRequests } = this.#options.lifetimes();
    return maxRequests > 0 && requests >= maxRequests;
  }

  #use(pooled: Pooled): ClientConnection {
    pooled.requests += 1;
    // Behind the request that it is given for.
    if (this.#isUsedUp(pooled)) queueMicrotask(() => pooled.connection.close());
    return pooled.connection;
  }

  /** Gives what connections take to who waits. */
  #offer(): void {
    for (let pooled = this.#usable(); pooled !== null; pooled = this.#usable()) {
      const next = this.#queue.next();
      if (next === null) return;
      if (this.#options.breakers.admitRequest()) next.onConnection(this.#use(pooled));
      else next.onNoConnection(OVERFLOW);
    }
    this.#openIfWanted();
  }

  /** One at a time: those who wait share it, as far as its peer allows. */
  #openIfWanted(): void {
    if (!this.#isConnecting && this.#queue.opens()) void this.#open();
  }

  async #open(): Promise<void> {
    this.#isConnecting = true;
    try {
      const onClosed = (closed: Http2Connection): void => this.#forget(closed);
      const { maxAgeMs, idleMs } = this.#options.lifetimes();
      const stream = await this.#options.dial();
      const connection = await speak(stream, onClosed);
      closeWithAge(stream, maxAgeMs, () => connection.close());
      if (!connection.isOpen) throw new Error('the endpoint closed the connection');
      this.#isConnecting = false;
      this.#queue.connected();
      this.#connections.push({ connection, requests: 0, idleSinceMs: null });
      this.#sweeper ??= setInterval(() => this.#sweep(), sweepMs(idleMs)).unref();
    } catch (error) {
      this.#isConnecting = false;
      this.#queue.connectFailed(error as Error);
      return;
    }
    this.#offer();
    if (this.#isClosed) this.close();
  }

  #forget(connection: Http2Connection): void {
    const at = this.#connections.findIndex((each) => each.connection === connection);
    if (at < 0) return;
    this.#connections.splice(at, 1);
    this.#queue.closed();
    this.#openIfWanted();
  }

  #sweep(): void {
    const { idleMs } = this.#options.lifetimes();
    const nowMs = performance.now();
    for (const pooled of [...this.#connections]) {
      const isIdle = pooled.connection.openStreams === 0;
      pooled.idleSinceMs = isIdle ? (pooled.idleSinceMs ?? nowMs) : null;
      const isOver = idleMs > 0 && isIdle && nowMs - pooled.idleSinceMs! >= idleMs;
      // By a limit that came later, perhaps.
      if (isOver || this.#isUsedUp(pooled)) pooled.connection.close();
    }
  }
}

/** Resolves when the peer has said what it takes; `onClosed` is called for what has resolved. */
function speak(
  transport: Duplex,
  onClosed: (connection: Http2Connection) => void,
): Promise<Http2Connection> {
  return new Promise((resolve, reject) => {
    let isReady = false;
    const timer = setTimeout(() => connection.abort(), SETTINGS_TIMEOUT_MS);
    const connection: Http2Connection = new Http2Connection(transport, {
      role: 'client',
      limits: CLIENT_LIMITS,
      onReady: () => {
        clearTimeout(timer);
        isReady = connection.maxStreams > 0;
        if (isReady) resolve(connection);
        else connection.abort();
        whenTunnelEnds(transport, () => connection.carrierLeaves());
      },
      onClose: (error: HttpError | null) => {
        clearTimeout(timer);
        if (isReady) onClosed(connection);
        else reject(error ?? new Error('the endpoint takes no requests'));
      },
    });
  });
}
