import { keepCompiledCode } from '@aquifer/runtime';
import { startEchoServer } from './echo-server.ts';
import { ownIdentity } from './identity.ts';

/**
 * The echo server as a program: `PORT` (8080) for HTTP/1.1, h2c, gRPC and WebSocket, `TCP_PORT` (9090) for TCP,
 * `FAIL_FIRST` (0) for how many requests fail first.
 */
const { env } = process;
const server = await startEchoServer({
  httpPort: Number(env.PORT ?? 8080),
  tcpPort: Number(env.TCP_PORT ?? 9090),
  failFirst: Number(env.FAIL_FIRST ?? 0),
  identity: ownIdentity(env),
});
keepCompiledCode();
console.log(`echo: HTTP on ${server.httpPort}, TCP on ${server.tcpPort}`);

/** A client that holds its connection longer than this is cut off. Milliseconds. */
const DRAIN_MS = 1_000;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    server.stop();
    setTimeout(() => process.exit(0), DRAIN_MS).unref();
  });
}
