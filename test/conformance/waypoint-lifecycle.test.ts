import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import {
  ask,
  gatewayObject,
  listenAt,
  type RunningWaypoint,
  readUntil,
  serveAt,
  serverPod,
  serviceObject,
  startWaypointProcess,
  untilEnded,
  untilReady,
  VIP,
  WAYPOINT_POD,
} from '../fixtures/waypoint-process.ts';

async function start(
  ip: string,
  options: { readonly lacksGateway?: boolean; readonly env?: Record<string, string> } = {},
): Promise<RunningWaypoint> {
  const app = createServer((request, response) => {
    const answer = (): void => void response.end('whole');
    if (request.url === '/slow') setTimeout(answer, 4_000);
    else answer();
  });
  const http = await listenAt(app, ip);
  const echo = await serveAt(ip, (socket) => socket.pipe(socket));
  return startWaypointProcess(
    [
      WAYPOINT_POD,
      serverPod(ip),
      serviceObject([
        { name: 'http', port: 80, targetPort: http },
        { name: 'tcp', port: 90, targetPort: echo },
      ]),
      ...(options.lacksGateway === true ? [] : [gatewayObject('service')]),
    ],
    options.env,
  );
}

function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', () => resolve(true));
  });
}

test('a waypoint is ready when it accepts tunnels, and not while nobody knows what it serves', async () => {
  const waypoint = await start('127.0.0.61', { lacksGateway: true });
  const pending = async (): Promise<string> =>
    (await waypoint.get('readiness', '/healthz/ready')).body;
  await eventually(
    async () => (await pending()) === 'not ready, pending: configuration, listener\n',
    {
      timeoutMs: 30_000,
    },
  );
  expect(await isRefused(waypoint.hbonePort)).toBe(true);
  waypoint.plane.api.put(gatewayObject('service'));
  await untilReady(waypoint);
  // The first connection of all, without a second try.
  expect(await isRefused(waypoint.hbonePort)).toBe(false);
  expect(await ask(await waypoint.dial(`${VIP}:80`))).toContain('200 OK');
}, 60_000);

test('a waypoint that ends tells kept connections with an answer, and finishes what is under way', async () => {
  const waypoint = await start('127.0.0.62', { env: { TERMINATION_DRAIN_DURATION_SECONDS: '20' } });
  await untilReady(waypoint);
  const kept = await Promise.all(Array.from({ length: 4 }, () => waypoint.dial(`${VIP}:80`)));
  const idle = await waypoint.dial(`${VIP}:80`);
  const slow = await waypoint.dial(`${VIP}:80`);
  const bytes = await waypoint.dial(`${VIP}:90`);
  for (const stream of [...kept, idle]) expect(await ask(stream)).toContain('whole');
  bytes.write('ping');
  await readUntil(bytes, 'ping');
  const underWay = ask(slow, 'GET /slow HTTP/1.1');
  const exit = once(waypoint.process, 'exit');
  waypoint.process.kill('SIGTERM');
  await Promise.all(kept.map((stream) => askUntilTold(stream)));
  expect(await untilEnded(idle)).toBe(true);
  expect(await underWay).toContain('whole');
  bytes.write('pong');
  await readUntil(bytes, 'pong');
  bytes.end();
  expect(await untilEnded(bytes)).toBe(true);
  expect(await exit).toEqual([0, null]);
}, 60_000);

/** Every request on it is answered; one of the answers says that it is the last. */
async function askUntilTold(stream: Duplex): Promise<void> {
  await eventually(
    async () => {
      const answer = await ask(stream);
      expect(answer).toContain('whole');
      return answer.includes('connection: close');
    },
    { intervalMs: 10 },
  );
  expect(await untilEnded(stream)).toBe(true);
}

test('a waypoint without connections ends long before it would be killed', async () => {
  const waypoint = await start('127.0.0.63', {
    env: { TERMINATION_DRAIN_DURATION_SECONDS: '600' },
  });
  await untilReady(waypoint);
  expect(await ask(await waypoint.dial(`${VIP}:80`))).toContain('whole');
  const exit = once(waypoint.process, 'exit');
  waypoint.process.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
}, 60_000);

test('a waypoint that has drained ends what was upgraded, in order', async () => {
  const app = createServer();
  app.on('upgrade', (_request, socket) => {
    socket.on('error', () => undefined);
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    socket.pipe(socket);
  });
  const ip = '127.0.0.64';
  const http = await listenAt(app, ip);
  const waypoint = await startWaypointProcess(
    [
      WAYPOINT_POD,
      serverPod(ip),
      serviceObject([{ name: 'http', port: 80, targetPort: http }]),
      gatewayObject('service'),
    ],
    { TERMINATION_DRAIN_DURATION_SECONDS: '3' },
  );
  await untilReady(waypoint);
  const stream = await waypoint.dial(`${VIP}:80`);
  stream.write('GET / HTTP/1.1\r\nHost: cart\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await readUntil(stream, '101 Switching Protocols');
  const exit = once(waypoint.process, 'exit');
  const beganAtMs = Date.now();
  waypoint.process.kill('SIGTERM');
  stream.write('still here');
  await readUntil(stream, 'still here');
  expect(await untilEnded(stream)).toBe(true);
  expect(Date.now() - beganAtMs).toBeGreaterThan(3_000);
  expect(await exit).toEqual([0, null]);
}, 60_000);
