export type {
  ClientExchange,
  ClientFailure,
  ResponseListener,
} from './http1/client-connection.ts';
export { ClientConnection } from './http1/client-connection.ts';
export type { HeaderList } from './http1/headers.ts';
export { getHeader, joinHeader, removeHeader, setHeader } from './http1/headers.ts';
export type { BodyFraming, RequestHead, ResponseHead } from './http1/parse.ts';
export type { HttpProblem } from './http1/problem.ts';
export type {
  RequestListener,
  ServerConnectionHandler,
  ServerExchange,
} from './http1/server-connection.ts';
export { ServerConnection } from './http1/server-connection.ts';
export type {
  Http2ConnectionHandler,
  Http2ConnectionOptions,
} from './http2/connection.ts';
export { Http2Connection } from './http2/connection.ts';
export { Http2Error } from './http2/error-codes.ts';
export type { Http2Limits } from './http2/settings.ts';
export type { Http2Stream, Http2StreamListener } from './http2/stream.ts';
export { ByteQueue } from './sockets/byte-queue.ts';
export { resetSocket } from './sockets/reset.ts';
export type { BytesListener } from './sockets/shared-reads.ts';
export { readShared } from './sockets/shared-reads.ts';
export { SlabWriter } from './sockets/slab-writer.ts';
