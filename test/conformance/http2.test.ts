import { describe, expect, onTestFinished, test } from 'vitest';
import {
  type Http2Client,
  type Http2Implementation,
  node,
  ours,
  type RunningServer,
} from './http2-implementations.ts';

/** Our HTTP/2 against Node's (nghttp2), in both roles; Node's against itself shows that the questions are fair. */
const PAIRS: readonly { client: Http2Implementation; server: Http2Implementation }[] = [
  { client: ours, server: ours },
  { client: ours, server: node },
  { client: node, server: ours },
  { client: node, server: node },
];

async function connected(
  client: Http2Implementation,
  server: Http2Implementation,
): Promise<{ client: Http2Client; server: RunningServer }> {
  const running = await server.serve();
  const dialled = await client.dial(running.port);
  onTestFinished(() => {
    dialled.abort();
    running.abort();
  });
  return { client: dialled, server: running };
}

describe.for(PAIRS)('client $client.name, server $server.name', (pair) => {
  test('header values arrive as they were sent, again and again', async () => {
    const { client } = await connected(pair.client, pair.server);
    const printable = Array.from({ length: 0x7e - 0x21 }, (_, i) => String.fromCharCode(0x21 + i));
    const values = [printable.join(''), 'short', '', 'x'.repeat(20_000), printable.join('')];
    for (const value of [...values, ...values]) {
      const { status, echo } = await client.exchange({ echo: value });
      expect([status, echo]).toEqual(['200', value]);
    }
  });

  test('a body far larger than the windows comes back whole', async () => {
    const { client } = await connected(pair.client, pair.server);
    const body = Buffer.alloc(5_000_000, 'a line that is not a power of two long\n');
    const answer = await client.exchange({ body });
    expect([answer.isCut, answer.body.equals(body)]).toEqual([false, true]);
  });

  test('many streams at once do not mix', async () => {
    const { client } = await connected(pair.client, pair.server);
    const answers = await Promise.all(
      Array.from({ length: 90 }, async (_, i) => {
        const body = Buffer.alloc(10_000 + i, String(i));
        const answer = await client.exchange({ echo: `n${i}`, body });
        return answer.echo === `n${i}` && answer.body.equals(body);
      }),
    );
    expect(answers.every(Boolean)).toBe(true);
  });

  test('a stream that the server cuts is cut for the client, and the next one is whole', async () => {
    const { client } = await connected(pair.client, pair.server);
    const { isCut } = await client.exchange({ path: '/cut', body: Buffer.from('some') });
    expect(isCut).toBe(true);
    const { body } = await client.exchange({ body: Buffer.from('whole') });
    expect(body.toString()).toBe('whole');
  });

  test('a draining server lets the exchange under way finish and then ends the connection', async () => {
    const { client, server } = await connected(pair.client, pair.server);
    const body = Buffer.alloc(3_000_000, 'z');
    const answer = await client.exchange({ body, onAnswer: () => server.drain() });
    expect(answer.body.length).toBe(body.length);
    await client.closed;
  });
});
