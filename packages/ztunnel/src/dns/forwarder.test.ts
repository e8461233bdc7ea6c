import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import { DnsForwarder, type DnsSockets } from './forwarder.ts';
import { parseQuery } from './message.ts';

const QUESTION = '\0\x01\x01\0\0\x01\0\0\0\0\0\0\x06server\0\0\x01\0\x01';

function query() {
  const parsed = parseQuery(Buffer.from(QUESTION, 'latin1'));
  if (!parsed.ok) throw new Error('no query');
  return parsed.query;
}

/** A nameserver that answers each query with what `answers` makes of it. */
async function nameserver(answers: (query: Buffer) => Buffer[]) {
  const socket = createSocket('udp4');
  socket.on('message', (message, { port, address }) => {
    for (const answer of answers(message)) socket.send(answer, port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  onTestFinished(() => void socket.close());
  return { ip: '127.0.0.1', port: socket.address().port };
}

function answerTo(message: Buffer): Buffer {
  const answer = Buffer.from(message);
  answer.writeUInt16BE(0x8180, 2);
  return answer;
}

/** Sockets of this process, and how many of them are open; `open` may throw instead. */
function countedSockets(open: (family: 4 | 6) => UdpSocket) {
  let count = 0;
  const sockets: DnsSockets = {
    udp: (family) => {
      const socket = open(family);
      count += 1;
      socket.once('close', () => {
        count -= 1;
      });
      return socket;
    },
    tcp: () => Promise.reject(new Error('not over TCP')),
  };
  return { sockets, count: () => count };
}

function udp4(): UdpSocket {
  return createSocket('udp4');
}

test('a pod without IPv6 asks the next nameserver when one has an IPv6 address', async () => {
  const reachable = await nameserver((message) => [answerTo(message)]);
  const counted = countedSockets((family) => {
    if (family === 6) throw new Error('socket failed: EAFNOSUPPORT');
    return udp4();
  });
  const forwarder = new DnsForwarder(counted.sockets, () => [
    { ip: '2001:db8::1', port: 53 },
    reachable,
  ]);
  expect((await forwarder.forward(query(), false)).readUInt16BE(2)).toBe(0x8180);
  await eventually(() => counted.count() === 0);
});

test('a pod whose network goes while its query waits costs the query, and nobody else anything', async () => {
  const silent = await nameserver(() => []);
  let isGone = false;
  const counted = countedSockets(() => {
    if (isGone) throw new Error('setns failed: EBADF');
    return udp4();
  });
  const forwarder = new DnsForwarder(counted.sockets, () => [silent, silent]);
  const answer = forwarder.forward(query(), false);
  isGone = true;
  await expect(answer).rejects.toThrow('request timed out');
  await eventually(() => counted.count() === 0);
});

test('of several answers the first counts that has the id and the question of the query', async () => {
  const confused = await nameserver((message) => {
    const otherId = answerTo(message);
    otherId.writeUInt16BE(message.readUInt16BE(0) ^ 1, 0);
    const otherQuestion = answerTo(message);
    otherQuestion.write('other!', 13, 'latin1');
    const right = answerTo(message);
    return [Buffer.alloc(0), otherId, otherQuestion, message, right.subarray(0, 5), right, right];
  });
  const counted = countedSockets(udp4);
  const forwarder = new DnsForwarder(counted.sockets, () => [confused]);
  const answer = await forwarder.forward(query(), false);
  expect(answer.toString('latin1', 12)).toBe(QUESTION.slice(12));
  await eventually(() => counted.count() === 0);
});
