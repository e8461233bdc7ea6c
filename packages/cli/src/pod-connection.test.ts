import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import { expect, onTestFinished, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { connectToPod } from './pod-connection.ts';

/** RFC 6455, 1.3. */
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const DATA_CHANNEL = 0;
const CLOSED_CHANNEL = 255;

/** A cluster whose port-forward sends these messages. */
async function clusterSending(messages: readonly Buffer[]): Promise<Cluster> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.on('upgrade', ({ headers }, socket) => {
    const key = `${headers['sec-websocket-key']}${ACCEPT_SUFFIX}`;
    const accept = createHash('sha1').update(key).digest('base64');
    const [protocol] = String(headers['sec-websocket-protocol']).split(',');
    socket.write(
      [
        'HTTP/1.1 101 Switching Protocols',
        ...['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`],
        `Sec-WebSocket-Protocol: ${protocol}\r\n\r\n`,
      ].join('\r\n'),
    );
    void delay(50).then(() => {
      for (const bytes of messages)
        socket.write(Buffer.concat([Buffer.from([0x82, bytes.length]), bytes]));
    });
    onTestFinished(() => void socket.destroy());
  });
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    { name: 'odd', server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
    { name: 'odd' },
  );
  return new Cluster(config);
}

test('messages of a port-forward without data are passed over', async () => {
  const cluster = await clusterSending([
    Buffer.of(),
    Buffer.of(CLOSED_CHANNEL),
    Buffer.of(DATA_CHANNEL, 80, 0),
    Buffer.of(DATA_CHANNEL),
    Buffer.concat([Buffer.of(DATA_CHANNEL), Buffer.from('hello')]),
  ]);
  const stream = await connectToPod(cluster, { namespace: 'shop', name: 'cart' }, 80);
  stream.on('error', () => undefined);
  const [bytes] = (await once(stream, 'data')) as [Buffer];
  expect(bytes.toString()).toBe('hello');
  stream.destroy();
});
