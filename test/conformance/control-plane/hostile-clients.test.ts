import { once } from 'node:events';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { ADDRESS_TYPE, CLUSTER_TYPE, grpcMethods } from '@aquifer/wire';
import {
  AggregatedDiscoveryService,
  DeltaDiscoveryRequestSchema,
} from '@aquifer/wire/gen/envoy/service/discovery/v3_pb';
import { create } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import {
  namespaceObject,
  podObject,
  type RunningControlPlane,
  startTestControlPlane,
} from '../../fixtures/control-plane.ts';
import { eventually } from '../../fixtures/eventually.ts';

const METHOD = grpcMethods(AggregatedDiscoveryService).deltaAggregatedResources;
const NODE = { id: 'ztunnel~10.0.0.1~z.istio-system~istio-system.svc.cluster.local' };
const OBJECTS = [
  namespaceObject('istio-system'),
  ...[1, 2, 3, 4, 5].map((n) => podObject('shop', `web-${n}`, { ip: `10.0.0.${n}` })),
];

/** Their answers are several times what windows and buffers hold. */
const ASKED = 5000;

const start = (): Promise<RunningControlPlane> => startTestControlPlane(OBJECTS);

/** A stream without gRPC's own buffers: what is not read fills the HTTP/2 window. Ends with the test. */
function openStream(plane: RunningControlPlane) {
  const session = connectHttp2(`http://127.0.0.1:${plane.app.ports.grpc}`);
  onTestFinished(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': METHOD.path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => undefined);
  return stream;
}

/** A length-prefixed message of gRPC. */
function framed(message: Buffer): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, 5);
  return frame;
}

const REQUEST = framed(
  METHOD.requestSerialize(
    create(DeltaDiscoveryRequestSchema, {
      node: NODE,
      typeUrl: ADDRESS_TYPE,
      resourceNamesSubscribe: ['*'],
    }),
  ),
);

async function metric(plane: RunningControlPlane, line: RegExp): Promise<number> {
  const page = await fetch(`http://127.0.0.1:${plane.app.ports.monitoring}/metrics`);
  return Number(line.exec(await page.text())?.[1] ?? 0);
}

const pushes = (plane: RunningControlPlane) =>
  metric(plane, /^pilot_xds_pushes\{type="[^"]*Address"\} (\d+)/m);
/** How many answers were sent when no more follow. */
async function untilStalled(plane: RunningControlPlane): Promise<number> {
  let last = 0;
  return await eventually(
    async () => {
      const before = last;
      last = await pushes(plane);
      return last > 0 && last === before ? last : null;
    },
    { timeoutMs: 30_000, intervalMs: 500 },
  );
}

const connected = (plane: RunningControlPlane) => metric(plane, /^pilot_xds (\d+)/m);

test('a client that asks without reading gets no more answers than fit, and all of them once it reads', async () => {
  const plane = await start();
  const stream = openStream(plane);
  for (let count = 1; count <= ASKED; count++) stream.write(REQUEST);
  expect(await untilStalled(plane)).toBeLessThan(ASKED / 2);
  stream.resume();
  await expect.poll(() => pushes(plane), { timeout: 30_000 }).toBe(ASKED);
});

test('a client that never reads and goes away is forgotten', async () => {
  const plane = await start();
  const stream = openStream(plane);
  for (let count = 1; count <= ASKED; count++) stream.write(REQUEST);
  await eventually(() => plane.logs.some((line) => line.includes('proxy connected')));
  await untilStalled(plane);
  stream.close(constants.NGHTTP2_CANCEL);
  await eventually(() => plane.logs.some((line) => line.includes('proxy disconnected')));
  expect(await connected(plane)).toBe(0);
});

test.for([
  { what: 'too many names', count: 60_000, length: 1 },
  { what: 'a name that is too long', count: 1, length: 5000 },
])(
  'a stream that asks for $what is ended, and nothing is kept for it',
  async ({ count, length }) => {
    const plane = await start();
    const client = plane.connect(null);
    const names = Array.from({ length: count }, (_, n) => `${n}`.padStart(length, 'x'));
    client.send({
      node: NODE,
      typeUrl: ADDRESS_TYPE,
      resourceNamesSubscribe: ['*'],
      resourceNamesUnsubscribe: ['*'],
    });
    await client.next();
    client.send({ typeUrl: ADDRESS_TYPE, resourceNamesSubscribe: names });
    const ended = async (): Promise<void> => {
      for (;;) await client.next();
    };
    await expect(ended()).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    await eventually(async () => (await connected(plane)) === 0);
  },
);

test('a gateway that says more of itself than a pod can is refused before anything is derived of it', async () => {
  const plane = await start();
  const client = plane.connect(null);
  const LABELS = { a: 'x'.repeat(1_000_000) };
  const node = { id: 'router~10.0.0.9~x.edge~edge.svc.cluster.local', metadata: { LABELS } };
  client.send({ node, typeUrl: CLUSTER_TYPE });
  await expect(client.next()).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
});

test('garbage ends its own stream only', async () => {
  const plane = await start();
  const stream = openStream(plane);
  stream.write(framed(Buffer.from('ffffffffffffffff', 'hex')));
  const [headers] = await once(stream, 'response');
  expect(Number(headers['grpc-status'])).toBe(status.INTERNAL);
  const good = openStream(plane);
  good.write(REQUEST);
  await once(good, 'data');
});

test.for(['//', '//a:b', 'http://[', '/nothing', '*'])(
  'the admin port answers a request for %s with 404, and goes on',
  async (target) => {
    const plane = await start();
    const socket = connectTcp(plane.app.ports.monitoring, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1.1 404 /);
    const ready = await fetch(`http://127.0.0.1:${plane.app.ports.probe}/ready`);
    expect(ready.status).toBe(200);
  },
);
