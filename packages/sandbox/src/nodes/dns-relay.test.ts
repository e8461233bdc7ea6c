import { createServer, type Server } from 'node:net';
import { decode, encode } from 'dns-packet';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { askUpstream, type UpstreamDns, upstreamOf, withLength } from './dns-relay.ts';

let server: Server;
let upstream: UpstreamDns;

beforeAll(async () => {
  server = createServer((socket) => {
    socket.once('data', (chunk: Buffer) => {
      const { id = 0, questions = [] } = decode(chunk.subarray(2));
      const answers = [{ type: 'A' as const, name: 'example.com', ttl: 5, data: '192.0.2.7' }];
      const answer = withLength(encode({ type: 'response', id, questions, answers }));
      // In two parts, the length apart from most of the message.
      socket.write(answer.subarray(0, 3));
      setTimeout(() => socket.write(answer.subarray(3)), 20);
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  upstream = { host: '127.0.0.1', port: (server.address() as { port: number }).port };
});
afterAll(() => server.close());

const query = encode({ type: 'query', id: 7, questions: [{ type: 'A', name: 'example.com' }] });

test('an answer comes whole, however it is cut on its way', async () => {
  const answer = decode((await askUpstream(query, upstream))!);
  expect(answer).toMatchObject({ id: 7, answers: [{ data: '192.0.2.7' }] });
});

test('a server that is not there answers nothing', async () => {
  expect(await askUpstream(query, { host: '127.0.0.1', port: 1 })).toBeNull();
});

test('the first server of a resolv.conf is asked', () => {
  const text = '# none\nsearch example.com\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n';
  expect(upstreamOf(text)).toEqual({ host: '192.0.2.1', port: 53 });
  expect(upstreamOf('search example.com\n')).toBeNull();
});
