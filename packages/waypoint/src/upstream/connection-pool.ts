// hot path: gives a connection to every attempt

import type { Duplex } from 'node:stream';
import { Http1ClientConnection } from '@aquifer/http';
import { type Breakers, OVERFLOW, QUEUE_OVERFLOW } from '../clusters/breakers.ts';
import { ConnectionQueue, type ConnectionWaiter } from '../clusters/connection-queue.ts';

const SWEEP_MS = 60_000;
/** An hour without a request. */
const MAX_IDLE_SWEEPS = 60;

interface Idle {
  readonly connection: Http1ClientConnection;
  /** Number of the sweep before. */
  readonly sinceSweep: number;
}

export interface PoolOptions {
  readonly dial: () => Promise<Duplex>;
  /** Of the cluster. Who is given a connection has been admitted as a request, and says when it ends. */
  readonly breakers: Breakers;
  /** 0 is no limit. */
  readonly maxRequestsPerConnection: () => number;
}

/** HTTP/1.1 connections to one endpoint. The one used last is used next, so that idle ones can close. */
export class ConnectionPool {
  readonly #options: PoolOptions;
  readonly #queue: ConnectionQueue<Http1ClientConnection>;
  readonly #idle: Idle[] = [];
  #sweeps = 0;
  #sweeper: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#queue = new ConnectionQueue(options.breakers);
  }

  /** A connection that is idle, or null: then `wait` gives one. */
  take(): Http1ClientConnection | null {
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

  /** Gives the next connection that is opened or released, or says why there is none; that at once if too many wait. */
  wait(waiter: ConnectionWaiter<Http1ClientConnection>): void {
    if (this.#idle.length > 0) waiter.onNoConnection(OVERFLOW);
    else if (this.#queue.wait(waiter)) this.#openWanted();
    else waiter.onNoConnection(QUEUE_OVERFLOW);
  }

  /** Of who does not want a connection any more. */
  cancel(waiter: ConnectionWaiter<Http1ClientConnection>): void {
    this.#queue.cancel(waiter);
  }

  /** A byte stream of its own, for TCP. */
  dial(): Promise<Duplex> {
    return this.#options.dial();
  }

  /** Takes a connection back whose answer was read; one that cannot be used again is dropped. */
  release(connection: Http1ClientConnection): void {
    const maxRequests = this.#options.maxRequestsPerConnection();
    if (maxRequests > 0 && connection.completed >= maxRequests) connection.close();
    else this.#offer(connection);
  }

  /** Closes idle connections now and the others when their answers have been read. */
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
    this.#offer(new Http1ClientConnection(stream));
  }

  #offer(connection: Http1ClientConnection): void {
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
    this.#idle.push({ connection, sinceSweep: this.#sweeps });
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  #sweep(): void {
    this.#sweeps += 1;
    const before = this.#sweeps - MAX_IDLE_SWEEPS;
    while (this.#idle.length > 0 && this.#idle[0]!.sinceSweep < before) {
      this.#idle.shift()!.connection.close();
    }
  }
}
