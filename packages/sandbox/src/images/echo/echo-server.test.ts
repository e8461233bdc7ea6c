import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { Client, connectivityState, credentials, status } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { type EchoServer, startEchoServer } from './echo-server.ts';
import { patternStream } from './pattern.ts';

const identity = {
  pod: 'echo-1',
  namespace: 'shop',
  node: 'node-1',
  serviceAccount: 'echo',
  version: 'v2',
};

async function start(failFirst = 0): Promise<EchoServer> {
  const server = await startEchoServer({ httpPort: 0, tcpPort: 0, failFirst, identity });
  onTestFinished(() => server.stop());
  return server;
}

test('an HTTP/1.1 request is answered with what arrived and who answers', async () => {
  const { httpPort } = await start();
  const response = await fetch(`http://127.0.0.1:${httpPort}/cart?item=7`, {
    method: 'POST',
    headers: { 'x-user': 'ann' },
    body: 'hello',
  });
  expect(await response.json()).toMatchObject({
    ...identity,
    method: 'POST',
    path: '/cart',
    query: { item: '7' },
    headers: { 'x-user': 'ann' },
    httpVersion: '1.1',
    remoteAddress: '127.0.0.1',
    bodyBytes: 5,
  });
});

test('the query asks for a status, a size, or one failure per key', async () => {
  const { httpPort } = await start();
  const url = `http://127.0.0.1:${httpPort}`;
  expect((await fetch(`${url}/?status=418`)).status).toBe(418);
  const sized = Buffer.from(await (await fetch(`${url}/?size=100000`)).arrayBuffer());
  expect(sized.equals(await buffer(patternStream(100_000)))).toBe(true);
  const statuses = [];
  for (const key of ['a', 'a', 'b', 'a']) {
    statuses.push((await fetch(`${url}/?failOnce=${key}`)).status);
  }
  expect(statuses).toEqual([503, 200, 503, 200]);
});

test('FAIL_FIRST fails so many requests whatever they ask', async () => {
  const { httpPort } = await start(2);
  const statuses = [];
  for (let n = 0; n < 3; n++) {
    statuses.push((await fetch(`http://127.0.0.1:${httpPort}/`)).status);
  }
  expect(statuses).toEqual([503, 503, 200]);
});

test('h2c with prior knowledge and gRPC share the port', async () => {
  const { httpPort } = await start();
  const session = connectHttp2(`http://127.0.0.1:${httpPort}`);
  onTestFinished(() => session.destroy());
  const plain = session.request({ ':path': '/h2' });
  expect(JSON.parse(await text(plain))).toMatchObject({ path: '/h2', httpVersion: '2.0' });

  const call = session.request({
    ':method': 'POST',
    ':path': '/echo.Echo/Say',
    'content-type': 'application/grpc',
  });
  const trailers = new Promise((resolve) => call.on('trailers', resolve));
  const frame = Buffer.from([0, 0, 0, 0, 2, 0x68, 0x69]);
  call.end(frame);
  expect((await buffer(call)).equals(frame)).toBe(true);
  expect(await trailers).toMatchObject({ 'grpc-status': '0' });
});

test('a WebSocket message comes back', async () => {
  const { httpPort } = await start();
  const client = new WebSocket(`ws://127.0.0.1:${httpPort}/`);
  onTestFinished(() => client.terminate());
  await new Promise((resolve) => client.on('open', resolve));
  client.send('ping');
  expect(String(await new Promise((resolve) => client.on('message', resolve)))).toBe('ping');
});

test('TCP is echoed and half-close is answered after the client has finished', async () => {
  const { tcpPort } = await start();
  const echoed = connect({ port: tcpPort, allowHalfOpen: true });
  echoed.end('one\ntwo');
  expect(await text(echoed)).toBe('one\ntwo');

  const sink = connect({ port: tcpPort, allowHalfOpen: true });
  sink.write('SINK\n');
  const sent = await buffer(patternStream(1_000_000));
  sink.end(sent);
  const sha256 = createHash('sha256').update(sent).digest('hex');
  expect(JSON.parse(await text(sink))).toEqual({ bytes: 1_000_000, sha256 });

  const source = connect({ port: tcpPort });
  source.end('SOURCE 1000000\n');
  expect((await buffer(source)).equals(sent)).toBe(true);
});

test('a server that drains says so in every protocol, and ends what is open at the end of its grace', async () => {
  const server = await start();
  const authority = `127.0.0.1:${server.httpPort}`;
  const webSocket = new WebSocket(`ws://${authority}/`);
  const client = new Client(authority, credentials.createInsecure());
  onTestFinished(() => {
    webSocket.terminate();
    client.close();
  });
  const raw = (bytes: Buffer): Buffer => bytes;
  const stream = client.makeBidiStreamRequest('/echo.Echo/Chat', raw, raw);
  stream.on('error', () => undefined);
  stream.write(Buffer.from('before'));
  await Promise.all([once(webSocket, 'open'), once(stream, 'data')]);
  const channel = client.getChannel();
  const { READY } = connectivityState;
  expect(channel.getConnectivityState(false)).toBe(READY);
  const told = new Promise((resolve) => {
    channel.watchConnectivityState(READY, Number.POSITIVE_INFINITY, resolve);
  });
  const drained = server.drain(1_500);
  expect((await fetch(`http://${authority}/`)).headers.get('connection')).toBe('close');
  await told;
  stream.write(Buffer.from('after'));
  expect(String((await once(stream, 'data'))[0])).toBe('after');
  const end = new Promise((resolve) => stream.once('status', resolve));
  expect((await once(webSocket, 'close'))[0]).toBe(1001);
  expect(await end).toMatchObject({ code: status.UNAVAILABLE, details: 'the server ends' });
  await drained;
});
