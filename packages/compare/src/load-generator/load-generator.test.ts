import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LoadResult, loadPath } from '../load.ts';

let target: Server;
let generator: ChildProcess;
let base: string;

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function load(path: string): Promise<{ status: number; body: LoadResult }> {
  const url = `http://127.0.0.1:${await listeningPort()}${path}`;
  const response = await fetch(url);
  return { status: response.status, body: (await response.json()) as LoadResult };
}

let port = 0;
async function listeningPort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const isUp = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
    if (isUp) return port;
    await delay(50);
  }
  throw new Error('the load generator does not listen');
}

beforeAll(async () => {
  target = createServer((request, response) => {
    response.statusCode = request.url === '/denied' ? 403 : 200;
    setTimeout(() => response.end('ok'), 5);
  });
  base = `http://127.0.0.1:${await listen(target)}`;
  const probe = createServer();
  port = await listen(probe);
  probe.close();
  generator = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    env: { ...process.env, PORT: String(port) },
    stdio: 'ignore',
  });
});

afterAll(async () => {
  generator.kill('SIGKILL');
  target.closeAllConnections();
  target.close();
  await once(generator, 'exit');
});

test('makes as many requests as asked for, and reports their latency', async () => {
  const { body } = await load(loadPath({ url: base, connections: 4, rate: 100, seconds: 1 }));
  expect(body.errors).toBe(0);
  expect(body.requests).toBeGreaterThanOrEqual(95);
  expect(body.requests).toBeLessThanOrEqual(150);
  expect(body.p50Ms).toBeGreaterThan(4);
  expect(body.p99Ms).toBeGreaterThanOrEqual(body.p50Ms);
});

test('counts answers other than 200 as errors', async () => {
  const url = `${base}/denied`;
  const { body } = await load(loadPath({ url, connections: 2, rate: 20, seconds: 1 }));
  expect(body.requests).toBeGreaterThan(0);
  expect(body.errors).toBe(body.requests);
});

test('refuses a request without parameters', async () => {
  expect((await load('/load')).status).toBe(400);
});
