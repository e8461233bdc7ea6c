import { duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Http1ClientConnection } from './client-connection.ts';
import { Http1ServerConnection } from './server-connection.ts';

const CHUNKS = 50_000;
const CHUNKS_OF_A_WRITE = 1_000;
const piece = Buffer.from('1\r\nx\r\n'.repeat(CHUNKS_OF_A_WRITE));
const noDuty = { onEnd: () => undefined, onDrain: () => undefined, onClose: () => undefined };

/** The most that came in one turn, when all are there. */
async function mostInATurn(received: () => number): Promise<number> {
  let most = 0;
  for (let before = 0; received() < CHUNKS; ) {
    await turn();
    most = Math.max(most, received() - before);
    before = received();
  }
  return most;
}

test('a request in very many chunks leaves other connections their turn', async () => {
  const [peer, stream] = duplexPair();
  peer.resume();
  let received = 0;
  new Http1ServerConnection(stream, {
    onRequest: (exchange) =>
      exchange.receive({
        onData: (chunk) => {
          received += chunk.length;
        },
        ...noDuty,
      }),
    onProblem: () => undefined,
    onClose: () => undefined,
  });
  peer.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  for (let at = 0; at < CHUNKS; at += CHUNKS_OF_A_WRITE) peer.write(piece);
  expect(await mostInATurn(() => received)).toBeLessThanOrEqual(3 * CHUNKS_OF_A_WRITE);
  peer.destroy();
});

test('an answer in very many chunks leaves other connections their turn', async () => {
  const [peer, stream] = duplexPair();
  peer.resume();
  let received = 0;
  const connection = new Http1ClientConnection(stream);
  const head = { method: 'GET', scheme: 'http', authority: 'a', path: '/', headers: [] };
  const exchange = connection.request(head, 0, {
    isUpgrade: false,
    listener: {
      onHead: () =>
        exchange.receive({
          onData: (chunk) => {
            received += chunk.length;
          },
          ...noDuty,
        }),
      onFailure: () => undefined,
    },
  });
  peer.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
  for (let at = 0; at < CHUNKS; at += CHUNKS_OF_A_WRITE) peer.write(piece);
  expect(await mostInATurn(() => received)).toBeLessThanOrEqual(3 * CHUNKS_OF_A_WRITE);
  peer.destroy();
});
