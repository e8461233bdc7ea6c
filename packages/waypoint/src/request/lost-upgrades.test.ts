import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import { Engine } from '../../../../test/fixtures/waypoint-engine.ts';

test('upgrades of a connection that is lost end, though the host reads nothing of them', async () => {
  const sockets: Socket[] = [];
  const host = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    socket.once('data', () => {
      socket.write('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      socket.pause();
    });
  }).listen(0, '127.0.0.1');
  await once(host, 'listening');
  const engine = new Engine();
  await engine.listen();
  engine.configure(
    { host: (host.address() as AddressInfo).port },
    {
      routes: [{ match: { prefix: '/' }, route: { cluster: 'host', timeout: '0s' } }],
      manager: { upgrade_configs: [{ upgrade_type: 'websocket' }] },
    },
  );
  const session = connectHttp2(`http://127.0.0.1:${engine.port}`).on('error', () => undefined);
  await once(session, 'remoteSettings');
  const asked = { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http' };
  const streams = Array.from({ length: 4 }, () =>
    session.request({ ...asked, ':authority': 'shop', ':path': '/' }).on('error', () => undefined),
  );
  await Promise.all(streams.map((stream) => once(stream, 'response')));
  for (const stream of streams) stream.write(Buffer.alloc(12 * 1024 * 1024));
  let before = -1;
  // Until nothing moves any more.
  const isStuck = (): boolean => {
    const bytes = session.socket.bytesWritten;
    const hasMoved = bytes !== before;
    before = bytes;
    return !hasMoved && bytes > 1024 * 1024;
  };
  await eventually(isStuck, { intervalMs: 200, what: 'a host that takes no more' });
  session.destroy();
  const active = (): number => engine.deps.config.clusters.statuses()[0]!.hosts[0]!.active;
  await eventually(() => active() === 0, { timeoutMs: 3_000, what: 'the end' }).catch(
    () => undefined,
  );
  expect(active()).toBe(0);
  for (const socket of sockets) socket.destroy();
  engine.close();
  host.close();
});
