import { keepCompiledCode } from '@aquifer/runtime';
import { Conversation } from './conversation.ts';
import { openStream, UnaryCalls } from './grpc-calls.ts';
import { Http1Requests } from './http1-requests.ts';
import { openLoop } from './open-loop.ts';
import { Tally } from './tally.ts';
import { openWebSocket } from './websocket-link.ts';

/**
 * An open-loop client of the echo server `TARGET_HOST`, from its start to its end: `HTTP1_NEW`, `HTTP1_KEPT` and
 * `GRPC_UNARY` requests a second, and `GRPC_STREAMS` and `WEBSOCKETS` long connections with `MESSAGES` messages a second on
 * each. gRPC is sent to `GRPC_PORT`, all else to `HTTP_PORT` (80). Prints what becomes of it: see `load-lines.ts`.
 */
const { env } = process;
const host = env.TARGET_HOST ?? 'server';
const port = Number(env.HTTP_PORT ?? 80);
const grpcAuthority = `${host}:${env.GRPC_PORT ?? port}`;
const rate = (name: string): number => Number(env[name] ?? 0);
const tally = new Tally((line) => console.log(JSON.stringify(line)));

openLoop(rate('HTTP1_NEW'), new Http1Requests('http1-new', { host, port }, tally).start);
openLoop(rate('HTTP1_KEPT'), new Http1Requests('http1-kept', { host, port }, tally).start);
openLoop(rate('GRPC_UNARY'), new UnaryCalls(grpcAuthority, tally).start);
for (let n = 0; n < rate('GRPC_STREAMS'); n++) {
  const open = openStream.bind(null, grpcAuthority);
  openLoop(rate('MESSAGES'), new Conversation('grpc-stream', tally, open).start);
}
for (let n = 0; n < rate('WEBSOCKETS'); n++) {
  const open = openWebSocket.bind(null, `ws://${host}:${port}/`);
  openLoop(rate('MESSAGES'), new Conversation('websocket', tally, open).start);
}
openLoop(1, () => tally.flush());
keepCompiledCode();
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    tally.flush();
    process.exit(0);
  });
}
