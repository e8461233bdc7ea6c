// hot path: gives a connection to every attempt
import type { Duplex } from 'node:stream';
import { type ClientConnection, Http2Connection, type HttpError } from '@aquifer/http';
import { CLIENT_LIMITS } from './http2-limits.ts';
import type { RequestPool } from './request-pool.ts';

const SWEEP_MS = 60_000;
/** An hour without a request. */
const MAX_IDLE_SWEEPS = 60;
/** A peer that accepts a connection and then says nothing is none of HTTP/2. */
const SETTINGS_TIMEOUT_MS = 10_000;

interface Pooled {
  readonly connection: Http2Connection;
  /** Sweeps that have found no request on it, in a row. */
  idleSweeps: number;
}

/** Many requests at a time on each. Another connection is made when the peer takes no more on those that there are. */
export class Http2Pool implements RequestPool {
  readonly #dial: () => Promise<Duplex>;
  readonly #connections: Pooled[] = [];
  #connecting: Promise<Http2Connection> | null = null;
  #sweeper: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(dial: () => Promise<Duplex>) {
    this.#dial = dial;
  }

  take(): Http2Connection | null {
    for (const { connection } of this.#connections) if (connection.isUsable) return connection;
    return null;
  }

  /** Those who ask at once share one, as far as its peer allows. */
  async connect(): Promise<Http2Connection> {
    for (;;) {
      this.#connecting ??= this.#open();
      const made = await this.#connecting;
      const usable = this.take();
      if (usable !== null) return usable;
      if (made.openStreams === 0) throw new Error('the endpoint takes no requests');
    }
  }

  release(_connection: ClientConnection): void {
    // It was never taken away.
  }

  close(): void {
    this.#isClosed = true;
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    this.#sweeper = null;
    for (const { connection } of this.#connections) connection.close();
  }

  async #open(): Promise<Http2Connection> {
    try {
      const connection = await speak(await this.#dial(), () => this.#forget(connection));
      if (this.#isClosed) connection.close();
      else {
        this.#connections.push({ connection, idleSweeps: 0 });
        this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
      }
      return connection;
    } finally {
      this.#connecting = null;
    }
  }

  #forget(connection: Http2Connection): void {
    const at = this.#connections.findIndex((each) => each.connection === connection);
    if (at >= 0) this.#connections.splice(at, 1);
  }

  #sweep(): void {
    for (const pooled of [...this.#connections]) {
      pooled.idleSweeps = pooled.connection.openStreams === 0 ? pooled.idleSweeps + 1 : 0;
      if (pooled.idleSweeps > MAX_IDLE_SWEEPS) pooled.connection.close();
    }
  }
}

/** Resolves when the peer has said what it takes. */
function speak(transport: Duplex, onClose: () => void): Promise<Http2Connection> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => connection.abort(), SETTINGS_TIMEOUT_MS);
    const connection: Http2Connection = new Http2Connection(transport, {
      role: 'client',
      limits: CLIENT_LIMITS,
      onReady: () => {
        clearTimeout(timer);
        resolve(connection);
      },
      onClose: (error: HttpError | null) => {
        clearTimeout(timer);
        reject(error ?? new Error('the endpoint closed the connection'));
        onClose();
      },
    });
  });
}
