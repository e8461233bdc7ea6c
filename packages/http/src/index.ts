export type {
  AnswerHead,
  AnswerListener,
  BodyLength,
  BodyListener,
  ClientConnection,
  Exchange,
  RequestHead,
  ServerExchange,
  ServerTimes,
} from './exchange.ts';
export { DEFAULT_SERVER_TIMES } from './exchange.ts';
export type { HeaderList } from './headers.ts';
export { getHeader, joinHeader, removeHeader, setHeader } from './headers.ts';
export { HttpError } from './http-error.ts';
export { Http1ClientConnection } from './http1/client-connection.ts';
export { reasonOf } from './http1/reasons.ts';
export { Http1ServerConnection } from './http1/server-connection.ts';
export { Http2Connection } from './http2/connection.ts';
export type { Http2Limits } from './http2/settings.ts';
export type { HttpProblem } from './problem.ts';
export { acceptedSocket } from './sockets/node-internals.ts';
export { resetSocket } from './sockets/reset.ts';
export { readShared } from './sockets/shared-reads.ts';
export { SlabWriter } from './sockets/slab-writer.ts';
