// hot path: gives a connection to every attempt
import type { Duplex } from 'node:stream';
import { whenTunnelEnds } from '@aquifer/hbone';
import { type ClientConnection, Http1ClientConnection } from '@aquifer/http';
import { OVERFLOW, QUEUE_OVERFLOW } from '../clusters/breakers.ts';
import { ConnectionQueue } from '../clusters/connection-queue.ts';
import { closeWithAge, sweepMs } from './lifetimes.ts';
import type { PoolOptions, RequestPool, RequestWaiter } from './request-pool.ts';

interface Idle {
  readonly connection: ClientConnection;
  readonly sinceMs: number;
}

/** One request at a time on each. The connection used last is used next, so that idle ones can close. */
export class Http1Pool implements RequestPool {
  readonly #options: PoolOptions;
  readonly #queue: ConnectionQueue<ClientConnection>;
  readonly #idle: Idle[] = [];
  #sweeper: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#queue = new ConnectionQueue(options.breakers);
  }

  take(): ClientConnection | null {
    for (let idle = this.#idle.at(-1); idle !== undefined; idle = this.#idle.at(-1)) {
      if (idle.connection.isUsable) {
        if (!this.#options.breakers.admitRequest()) return null;
        this.#idle.pop();
        return idle.connection;
      }
      this.#idle.pop();
    }
    return null;
  }

  wait(waiter: RequestWaiter): void {
    if (this.#idle.length > 0) waiter.onNoConnection(OVERFLOW);
    else if (this.#queue.wait(waiter)) this.#openWanted();
    else waiter.onNoConnection(QUEUE_OVERFLOW);
  }

  cancel(waiter: RequestWaiter): void {
    this.#queue.cancel(waiter);
  }

  /** One that cannot be used again is dropped. */
  release(connection: ClientConnection): void {
    const { maxRequests } = this.#options.lifetimes();
    const { completed } = connection as Http1ClientConnection;
    if (maxRequests > 0 && completed >= maxRequests) connection.close();
    else this.#offer(connection);
  }

  close(): void {
    this.#isClosed = true;
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    for (const { connection } of this.#idle.splice(0)) connection.close();
  }

  #openWanted(): void {
    while (this.#queue.opens()) void this.#open();
  }

  async #open(): Promise<void> {
    let stream: Duplex;
    try {
      stream = await this.#options.dial();
    } catch (error) {
      this.#queue.connectFailed(error as Error);
      return;
    }
    this.#queue.connected();
    stream.once('close', () => {
      this.#queue.closed();
      this.#openWanted();
    });
    const connection = new Http1ClientConnection(stream);
    closeWithAge(stream, this.#options.lifetimes().maxAgeMs, () => connection.close());
    this.#offer(connection);
    whenTunnelEnds(stream, () => connection.close());
  }

  #offer(connection: ClientConnection): void {
    if (!connection.isUsable) return;
    for (let next = this.#queue.next(); next !== null; next = this.#queue.next()) {
      if (this.#options.breakers.admitRequest()) {
        next.onConnection(connection);
        return;
      }
      next.onNoConnection(OVERFLOW);
    }
    if (this.#isClosed) {
      connection.close();
      return;
    }
    this.#idle.push({ connection, sinceMs: performance.now() });
    const { idleMs } = this.#options.lifetimes();
    this.#sweeper ??= setInterval(() => this.#sweep(), sweepMs(idleMs)).unref();
  }

  #sweep(): void {
    const { idleMs } = this.#options.lifetimes();
    if (idleMs === 0) return;
    const before = performance.now() - idleMs;
    while (this.#idle.length > 0 && this.#idle[0]!.sinceMs <= before) {
      this.#idle.shift()!.connection.close();
    }
  }
}
