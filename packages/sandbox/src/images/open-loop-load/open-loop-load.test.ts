import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../../../test/fixtures/eventually.ts';
import { type EchoServer, startEchoServer } from '../echo/echo-server.ts';
import { Conversation } from './conversation.ts';
import { openStream, UnaryCalls } from './grpc-calls.ts';
import { Http1Requests } from './http1-requests.ts';
import { bucketEndMs, bucketOf, type LoadKind, type LoadLine } from './load-lines.ts';
import { openLoop } from './open-loop.ts';
import { Tally } from './tally.ts';
import { openWebSocket } from './websocket-link.ts';

const identity = { pod: '', namespace: '', node: '', serviceAccount: '', version: '' };

/** What was printed, and how many of a kind went well. */
class Printed {
  readonly lines: LoadLine[] = [];
  readonly tally = new Tally((line) => this.lines.push(line));

  ok(kind: LoadKind): number {
    this.tally.flush();
    return this.lines
      .filter((line) => line.line === 'count' && line.kind === kind)
      .reduce((sum, line) => sum + (line.line === 'count' ? line.ok : 0), 0);
  }

  get failures(): readonly string[] {
    return this.lines.flatMap((line) => (line.line === 'failure' ? [line.reason] : []));
  }

  get ends(): readonly string[] {
    return this.lines.flatMap((line) => (line.line === 'end' ? [`${line.kind} ${line.how}`] : []));
  }
}

async function serve(httpPort = 0): Promise<EchoServer> {
  const server = await startEchoServer({ httpPort, tcpPort: 0, failFirst: 0, identity });
  onTestFinished(() => server.stop());
  return server;
}

test('a loop makes up for the time in which the process was busy, and says when each was to start', async () => {
  const intended: number[] = [];
  const beganAtMs = Date.now();
  const loop = openLoop(100, (atMs) => intended.push(atMs));
  onTestFinished(() => loop[Symbol.dispose]());
  while (Date.now() < beganAtMs + 300);
  await delay(20);
  expect(intended.length).toBeGreaterThanOrEqual(30);
  const gaps = intended.slice(1).map((atMs, at) => Math.round(atMs - intended[at]!));
  expect(new Set(gaps)).toEqual(new Set([10]));
});

test('a latency is in the bucket that ends a tenth above it at most', () => {
  for (const ms of [0.1, 1, 1.5, 20, 333, 10_000]) {
    const endMs = bucketEndMs(bucketOf(ms));
    expect(endMs).toBeGreaterThanOrEqual(ms * 0.999);
    expect(endMs).toBeLessThanOrEqual(Math.max(1, ms * 1.101));
  }
});

test('requests of each kind are counted once, and refusals with their reason', async () => {
  const { httpPort: port } = await serve();
  const printed = new Printed();
  const target = { host: '127.0.0.1', port };
  new Http1Requests('http1-new', target, printed.tally).start(Date.now());
  new Http1Requests('http1-kept', target, printed.tally).start(Date.now());
  new UnaryCalls(`127.0.0.1:${port}`, printed.tally).start(Date.now());
  await eventually(() =>
    (['http1-new', 'http1-kept', 'grpc-unary'] as const).every((kind) => printed.ok(kind) === 1),
  );
  expect(printed.failures).toEqual([]);
  new Http1Requests('http1-new', { ...target, port: 1 }, printed.tally).start(Date.now());
  await eventually(() => printed.failures.length === 1);
  expect(printed.failures[0]).toContain('ECONNREFUSED');
});

test('messages survive the end of their server, by streams that move before it and WebSockets that come back after it', async () => {
  const first = await serve();
  const port = first.httpPort;
  const printed = new Printed();
  const conversations = [
    new Conversation('grpc-stream', printed.tally, (on) => openStream(`127.0.0.1:${port}`, on)),
    new Conversation('websocket', printed.tally, (on) =>
      openWebSocket(`ws://127.0.0.1:${port}/`, on),
    ),
  ];
  onTestFinished(() => {
    for (const conversation of conversations) conversation[Symbol.dispose]();
  });
  let said = 0;
  const loop = openLoop(50, (atMs) => {
    said += 1;
    for (const conversation of conversations) conversation.start(atMs);
  });
  await eventually(() => printed.ok('grpc-stream') > 5 && printed.ok('websocket') > 5);
  const drained = first.drain(3_000);
  // Until the first one stops to listen, a moment before it ends what is open.
  let second: EchoServer | null = null;
  await eventually(async () => {
    second = await serve(port).catch(() => null);
    return second !== null;
  });
  await drained;
  await eventually(() => printed.ends.includes('websocket closed'));
  loop[Symbol.dispose]();
  await eventually(() => printed.ok('grpc-stream') === said && printed.ok('websocket') === said);
  expect(new Set(printed.ends)).toEqual(new Set(['grpc-stream moved', 'websocket closed']));
  expect(printed.failures.filter((reason) => !reason.startsWith('refused'))).toEqual([]);
});
