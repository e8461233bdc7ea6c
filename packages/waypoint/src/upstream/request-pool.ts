import type { Duplex } from 'node:stream';
import type { ClientConnection } from '@aquifer/http';
import type { Breakers } from '../clusters/breakers.ts';
import type { ConnectionWaiter } from '../clusters/connection-queue.ts';

/** Which HTTP is spoken on a connection, as access lines name it. */
export type HttpVersion = 'HTTP/1.1' | 'HTTP/2';

export interface PoolOptions {
  readonly dial: () => Promise<Duplex>;
  /** Of the cluster. Who is given a connection has been admitted as a request, and says when it ends. */
  readonly breakers: Breakers;
  /** 0 is no limit. */
  readonly maxRequestsPerConnection: () => number;
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
