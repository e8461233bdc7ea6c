import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LoadRequest, type LoadResult, loadPath } from '../load.ts';
import { quantileMs } from '../statistics/histogram.ts';

const ANSWER_MS = 5;
const STALL_MS = 300;

let target: Server;
let generator: ChildProcess;
let base: string;
let port = 0;

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function load(changes: Partial<LoadRequest> = {}): Promise<LoadResult> {
  const request = { url: base, rate: 200, seconds: 1, connections: 8, seed: 1, beginAtMs: 0 };
  const beginAtMs = Date.now() + 500;
  const response = await fetch(
    `http://127.0.0.1:${port}${loadPath({ ...request, beginAtMs, ...changes })}`,
  );
  expect(response.status).toBe(200);
  return (await response.json()) as LoadResult;
}

async function untilListening(): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const isUp = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
    if (isUp) return;
    await delay(50);
  }
  throw new Error('the load generator does not listen');
}

beforeAll(async () => {
  let stalledAtMs = 0;
  target = createServer((request, response) => {
    if (request.url === '/stalls' && stalledAtMs === 0) {
      // The whole server stands still, as one that collects garbage.
      stalledAtMs = Date.now();
      while (Date.now() < stalledAtMs + STALL_MS);
    }
    if (request.url === '/cut') return request.socket.destroy();
    response.statusCode = request.url === '/denied' ? 403 : 200;
    if (request.url === '/chunked') response.write('a part, ');
    setTimeout(() => response.end('ok'), ANSWER_MS);
  });
  base = `http://127.0.0.1:${await listen(target)}`;
  const probe = createServer();
  port = await listen(probe);
  probe.close();
  generator = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    env: { ...process.env, PORT: String(port) },
    stdio: 'ignore',
  });
  await untilListening();
});

afterAll(async () => {
  generator.kill('SIGKILL');
  target.closeAllConnections();
  target.close();
  await once(generator, 'exit');
});

test('makes a Poisson load that the seed decides, and reports latencies', async () => {
  const first = await load();
  const second = await load({ url: `${base}/chunked` });
  expect(first.failed + second.failed).toBe(0);
  // 200 ± 4 standard deviations.
  expect(Math.abs(first.intended - 200)).toBeLessThan(57);
  expect(second.intended).toBe(first.intended);
  expect(first.succeeded).toBe(first.intended);
  expect(first.beganLateMs).toBe(0);
  expect(quantileMs(first.latencies, 0.5)).toBeGreaterThan(ANSWER_MS - 1);
});

test('what a stalled server holds up is late from when it was to start', async () => {
  const result = await load({ url: `${base}/stalls`, connections: 1 });
  expect(result.failed).toBe(0);
  // A fifth of a second of arrivals or more waited; a closed loop would have seen one slow answer.
  expect(quantileMs(result.latencies, 0.8)).toBeGreaterThan(STALL_MS / 4);
});

test.for(['/denied', '/cut'])('answers of %s are failures', async (path) => {
  const { intended, failed } = await load({ url: base + path, rate: 40, connections: 16 });
  expect(intended).toBeGreaterThan(0);
  expect(failed).toBe(intended);
});

test('an order that comes too late says so', async () => {
  const { beganLateMs } = await load({ rate: 20, seconds: 0.5, beginAtMs: Date.now() - 200 });
  expect(beganLateMs).toBeGreaterThanOrEqual(200);
});

test('refuses a load without parameters', async () => {
  const response = await fetch(`http://127.0.0.1:${port}/load`);
  expect([response.status, await response.json()]).toEqual([
    400,
    { error: 'url:  is not an http:// URL' },
  ]);
});
