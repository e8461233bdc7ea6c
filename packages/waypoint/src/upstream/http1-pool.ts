// hot path: gives a connection to every attempt

import type { Duplex } from 'node:stream';
import { type ClientConnection, Http1ClientConnection } from '@aquifer/http';
import type { RequestPool } from './request-pool.ts';

const SWEEP_MS = 60_000;
/** An hour without a request. */
const MAX_IDLE_SWEEPS = 60;

interface Idle {
  readonly connection: ClientConnection;
  /** Number of the sweep before. */
  readonly sinceSweep: number;
}

/** One request at a time on each. The connection used last is used next, so that idle ones can close. */
export class Http1Pool implements RequestPool {
  readonly #dial: () => Promise<Duplex>;
  readonly #idle: Idle[] = [];
  #sweeps = 0;
  #sweeper: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(dial: () => Promise<Duplex>) {
    this.#dial = dial;
  }

  take(): ClientConnection | null {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.connection.isUsable) return idle.connection;
    }
    return null;
  }

  async connect(): Promise<ClientConnection> {
    return new Http1ClientConnection(await this.#dial());
  }

  /** One that cannot be used again is dropped. */
  release(connection: ClientConnection): void {
    if (!connection.isUsable) return;
    if (this.#isClosed) {
      connection.close();
      return;
    }
    this.#idle.push({ connection, sinceSweep: this.#sweeps });
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  close(): void {
    this.#isClosed = true;
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    for (const { connection } of this.#idle.splice(0)) connection.close();
  }

  #sweep(): void {
    this.#sweeps += 1;
    const before = this.#sweeps - MAX_IDLE_SWEEPS;
    while (this.#idle.length > 0 && this.#idle[0]!.sinceSweep < before) {
      this.#idle.shift()!.connection.close();
    }
  }
}
