import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findPrograms } from '../bench/programs.ts';
import { eventually } from '../fixtures/eventually.ts';
import {
  type CounterName,
  type RequestCounter,
  startCounter,
} from '../fixtures/request-counters.ts';
import {
  denying,
  freePort,
  httpBootstrap,
  type StaticProxy,
  startStaticProxy,
} from '../fixtures/static-proxy.ts';
import { Http2Wire } from './l7-differential/http2-wire.ts';
import { HTTP1_ATTEMPTS, HTTP2_ATTEMPTS, type Http2Attempt } from './l7-smuggling-corpus.ts';

/**
 * Bytes of which two readers could make different requests: whatever passes the waypoint is as many requests to
 * `node:http`, nginx and HAProxy, and never one that a policy denies.
 */

const { paths } = findPrograms(process.env);
const COUNTERS: readonly { readonly name: CounterName; readonly program: string | null }[] = [
  { name: 'node:http', program: '' },
  { name: 'nginx', program: paths.get('nginx') ?? null },
  { name: 'haproxy', program: paths.get('haproxy') ?? null },
];
/** As many as there may be connections behind the proxy that something was left on. */
const PROBES = 4;
const ANSWER_MS = 1000;

let proxy: StaticProxy;
const counters = new Map<
  CounterName,
  { readonly counter: RequestCounter; readonly port: number }
>();
let probed = 0;

/** Sends the bytes and ends: what is complete is answered, and then the connection ends too. */
async function sendBytes(port: number, bytes: string): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => undefined).resume();
  socket.end(bytes, 'latin1');
  await Promise.race([once(socket, 'close'), delay(ANSWER_MS)]);
  socket.destroy();
}

async function sendStream(port: number, attempt: Http2Attempt): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => undefined);
  const { promise: isOver, resolve: end } = Promise.withResolvers<void>();
  const wire = new Http2Wire(socket, 'client', (event) => {
    if (event.kind === 'reset' || event.kind === 'goaway' || event.isEnd) end();
  });
  socket.on('data', (chunk: Buffer) => wire.receive(chunk));
  const { fields, body, trailers } = attempt;
  wire.headers(1, fields, body === null);
  if (body !== null) await wire.data(1, Buffer.from(body, 'latin1'), trailers === undefined);
  if (trailers !== undefined) wire.headers(1, trailers, true);
  await Promise.race([once(socket, 'close'), isOver, delay(ANSWER_MS)]);
  socket.destroy();
}

/** What an origin has seen since, ahead of requests that reuse every connection to it. */
async function reached(
  name: CounterName,
  send: (port: number) => Promise<unknown>,
): Promise<string[]> {
  const { counter, port } = counters.get(name)!;
  const before = counter.seen().length;
  await send(port);
  const probes = Array.from({ length: PROBES }, () => `/probe-${probed++}`);
  for (const probe of probes) {
    const answer = await ask(port, probe);
    expect(answer).toMatch(/^HTTP\/1\.1 200 [\s\S]*ok$/);
  }
  const isProbe = (line: string): boolean => probes.some((probe) => line === `GET ${probe}`);
  const since = () => counter.seen().slice(before);
  await eventually(() => since().filter(isProbe).length === PROBES, {
    intervalMs: 10,
    what: `${name} has seen ${probes.join(', ')}`,
  });
  return since().filter((line) => !isProbe(line));
}

async function ask(port: number, path: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n`);
  let answer = '';
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString('latin1');
    if (answer.endsWith('ok')) socket.end();
  });
  await once(socket, 'close');
  return answer;
}

beforeAll(async () => {
  const clusters: Record<string, number> = {};
  for (const { name, program } of COUNTERS) {
    if (program === null) continue;
    const counter = await startCounter(name, program);
    counters.set(name, { counter, port: await freePort() });
    clusters[name] = counter.port;
  }
  const manager = {
    http_filters: denying({ url_path: { path: { prefix: '/admin' } } }),
    upgrade_configs: [{ upgrade_type: 'websocket' }],
  };
  const listenerOf = (port: number, cluster: string) => ({
    port,
    domains: ['shop.test'],
    routes: [{ match: { prefix: '/' }, route: { cluster, timeout: '0s' } }],
    manager,
  });
  proxy = await startStaticProxy('waypoint', (first) =>
    httpBootstrap(clusters, [
      listenerOf(first, 'node:http'),
      ...[...counters].map(([name, { port }]) => listenerOf(port, name)),
    ]),
  );
});

afterAll(async () => {
  await proxy?.stop();
  await Promise.all([...counters.values()].map(({ counter }) => counter.stop()));
});

describe.for(COUNTERS)('to $name', ({ name, program }) => {
  const reason = program === null ? ` (skipped: ${name} is not installed)` : '';

  test.skipIf(program === null).for(HTTP1_ATTEMPTS)(
    `HTTP/1.1 with $what is as many requests as to the waypoint${reason}`,
    async ({ bytes, reaches }) => {
      expect(await reached(name, (port) => sendBytes(port, bytes))).toEqual(reaches);
    },
  );

  test.skipIf(program === null).for(HTTP2_ATTEMPTS)(
    `HTTP/2 with $what is as many requests as to the waypoint${reason}`,
    async (attempt) => {
      expect(await reached(name, (port) => sendStream(port, attempt))).toEqual(attempt.reaches);
    },
  );
});
