// hot path: gives a connection to every attempt
import type { Duplex } from 'node:stream';
import { Http1Pool } from './http1-pool.ts';
import { Http2Pool } from './http2-pool.ts';
import type { HttpVersion, PoolOptions, RequestPool } from './request-pool.ts';

/** All connections to one endpoint. */
export class ConnectionPool {
  readonly #options: PoolOptions;
  #http1: Http1Pool | null = null;
  #http2: Http2Pool | null = null;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Those that carry requests in this version. */
  of(version: HttpVersion): RequestPool {
    if (version === 'HTTP/1.1') {
      this.#http1 ??= new Http1Pool(this.#options);
      return this.#http1;
    }
    this.#http2 ??= new Http2Pool(this.#options);
    return this.#http2;
  }

  /** A byte stream of its own, for TCP. */
  dial(): Promise<Duplex> {
    return this.#options.dial();
  }

  /** Closes idle connections now and the others when their answers have been read. */
  close(): void {
    this.#http1?.close();
    this.#http2?.close();
  }
}
