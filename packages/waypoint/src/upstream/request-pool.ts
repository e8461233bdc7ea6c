import type { ClientConnection } from '@aquifer/http';

/** Which HTTP is spoken on a connection, as access lines name it. */
export type HttpVersion = 'HTTP/1.1' | 'HTTP/2';

/** Connections to one endpoint that speak one version of HTTP. */
export interface RequestPool {
  /** A connection that takes a request now, or null: then `connect` makes one. */
  take(): ClientConnection | null;
  /** Rejects if the endpoint cannot be reached, or does not speak this version. */
  connect(): Promise<ClientConnection>;
  /** Takes a connection back whose answer was read to its end. */
  release(connection: ClientConnection): void;
  /** Closes idle connections now and the others when their answers have been read. */
  close(): void;
}
