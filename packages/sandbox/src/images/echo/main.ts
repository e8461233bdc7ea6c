import { setTimeout as sleep } from 'node:timers/promises';
import { keepCompiledCode } from '@aquifer/runtime';
import { startEchoServer } from './echo-server.ts';
import { ownIdentity } from './identity.ts';

/**
 * The echo server as a program: `PORT` (8080) for HTTP/1.1, h2c, gRPC and WebSocket, `TCP_PORT` (9090) for TCP,
 * `FAIL_FIRST` (0) for how many requests fail first. `DRAIN_AFTER_SECONDS` (none) makes it end as a server should: it
 * serves on for so long, until everyone knows that it goes away, and then takes up to `DRAIN_SECONDS` (5) for what is open.
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

async function end(): Promise<void> {
  if (env.DRAIN_AFTER_SECONDS === undefined) {
    server.stop();
    setTimeout(() => process.exit(0), DRAIN_MS).unref();
    return;
  }
  await sleep(Number(env.DRAIN_AFTER_SECONDS) * 1000);
  await server.drain(Number(env.DRAIN_SECONDS ?? 5) * 1000);
  process.exit(0);
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void end());
