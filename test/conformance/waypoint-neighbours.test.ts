import { once } from 'node:events';
import { createServer } from 'node:http';
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import { tunnelsTo } from '../fixtures/tunnels.ts';
import {
  ask,
  gatewayObject,
  listenAt,
  nodeProxyAt,
  type RunningWaypoint,
  serverPod,
  serviceObject,
  startWaypointProcess,
  untilEnded,
  untilReady,
  VIP,
  WAYPOINT_POD,
} from '../fixtures/waypoint-process.ts';

/**
 * Node proxies on both sides of a waypoint are replaced. They carry bytes, and can say that they go away only to each
 * other (GOAWAY); the waypoint says it to clients in words of HTTP, and takes its own requests elsewhere.
 */
const CAPTURED = { 'ambient.istio.io/redirection': 'enabled' };
const H2_STREAM = { ':method': 'POST', ':path': '/', 'content-type': 'application/grpc' };

/** Serves `GET` on port 80 and echoes streams of HTTP/2 on port 81. */
async function start(
  ip: string,
  annotations: Readonly<Record<string, string>> = {},
): Promise<RunningWaypoint> {
  const app = createServer((_request, response) => response.end('whole'));
  const streams = createHttp2Server();
  // A server's streams are always server streams; the types say only Http2Stream.
  streams.on('stream', (received) => {
    const stream = received as ServerHttp2Stream;
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
    stream.pipe(stream);
  });
  const waypoint = await startWaypointProcess([
    WAYPOINT_POD,
    serverPod(ip, annotations),
    serviceObject([
      { name: 'http', port: 80, targetPort: await listenAt(app, ip) },
      { name: 'grpc', port: 81, targetPort: await listenAt(streams, ip) },
    ]),
    gatewayObject('service'),
  ]);
  await untilReady(waypoint);
  return waypoint;
}

/** A stream over HTTP/2 that is echoed; `goneAway` resolves when the client is told to go elsewhere. */
async function openStream(carrier: Duplex) {
  const session = connectHttp2('http://cart', { createConnection: () => carrier });
  session.on('error', () => undefined);
  onTestFinished(() => session.destroy());
  const goneAway = once(session, 'goaway');
  const stream = session.request(H2_STREAM);
  const say = async (text: string): Promise<string> => {
    stream.write(text);
    return String((await once(stream, 'data'))[0]);
  };
  expect(await say('hello')).toBe('hello');
  const end = async (): Promise<void> => {
    stream.end();
    await once(stream, 'end');
  };
  return { goneAway, say, end };
}

test('clients of a node proxy that goes away are told by the waypoint, with an answer or GOAWAY; streams go on', async () => {
  const waypoint = await start('127.0.0.65');
  const certificate = await waypoint.certificate('client');
  const tunnels = tunnelsTo(waypoint.hbonePort, { certificate });
  const kept = await tunnels.open(`${VIP}:80`);
  const stream = await openStream(await tunnels.open(`${VIP}:81`));
  expect(await ask(kept)).not.toContain('connection: close');
  tunnels.pool.drain();
  await stream.goneAway;
  expect(await stream.say('afterwards')).toBe('afterwards');
  await stream.end();
  await eventually(async () => (await ask(kept)).includes('connection: close'), { intervalMs: 5 });
  expect(await untilEnded(kept)).toBe(true);
}, 60_000);

test('when the node proxy of an endpoint is replaced, requests go by the new one and none is lost', async () => {
  const ip = '127.0.0.66';
  const waypoint = await start(ip, CAPTURED);
  const certificate = await waypoint.certificate('server');
  const before = await nodeProxyAt(ip, certificate);
  const kept = await waypoint.dial(`${VIP}:80`);
  const stream = await openStream(await waypoint.dial(`${VIP}:81`));
  expect(await ask(kept)).toContain('whole');
  expect(before.authorities).toHaveLength(2);
  // A stream that has just begun is most likely short.
  await delay(1_100);
  before.listener.drain();
  const after = await nodeProxyAt(ip, certificate);
  await eventually(
    async () => {
      expect(await ask(kept)).toContain('200 OK');
      return after.authorities.length > 0;
    },
    { intervalMs: 1 },
  );
  await stream.goneAway;
  expect(await stream.say('afterwards')).toBe('afterwards');
  await stream.end();
  const next = await openStream(await waypoint.dial(`${VIP}:81`));
  expect(after.authorities).toHaveLength(2);
  await next.end();
}, 60_000);
