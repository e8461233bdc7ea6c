import type { Duplex } from 'node:stream';
import type { ClientConnection } from '@aquifer/http';
import type { Breakers } from '../clusters/breakers.ts';
import type { ConnectionWaiter } from '../clusters/connection-queue.ts';

/** Which HTTP is spoken on a connection, as access lines name it. */
export type HttpVersion = 'HTTP/1.1' | 'HTTP/2';

/** When connections end that could go on. */
export interface ConnectionLifetimes {
  /** 0 is no limit. */
  readonly maxRequests: number;
  /** Milliseconds without a request; 0 is for ever. */
  readonly idleMs: number;
  /** Milliseconds, whatever is done with them; requests under way are not cut. 0 is no limit. */
  readonly maxAgeMs: number;
  /** Requests at a time on a connection of HTTP/2, if its peer takes more; 0 is no limit. */
  readonly maxStreams: number;
}

export interface PoolOptions {
  readonly dial: () => Promise<Duplex>;
  /** Of the cluster. Who is given a connection has been admitted as a request, and says when it ends. */
  readonly breakers: Breakers;
  readonly lifetimes: () => ConnectionLifetimes;
}

export type RequestWaiter = ConnectionWaiter<ClientConnection>;

/** Connections to one endpoint that speak one version of HTTP. */
export interface RequestPool {
  /** A connection that takes a request now, or null: then `wait` gives one. */
  take(): ClientConnection | null;
  /** Gives the next connection that takes a request, or says why there is none; that at once if too many wait. */
  wait(waiter: RequestWaiter): void;
  /** Of who does not want a connection any more. */
  cancel(waiter: RequestWaiter): void;
  /** The request on it has ended, in whatever way. */
  release(connection: ClientConnection): void;
  /** Closes idle connections now and the others when their answers have been read. */
  close(): void;
}
