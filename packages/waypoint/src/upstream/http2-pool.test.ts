import { once } from 'node:events';
import { connect, createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { Engine } from '../../../../test/fixtures/waypoint-engine.ts';

const TYPE = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

test('no connection carries more requests than it may, however many wait for it', async () => {
  const carried: number[] = [];
  const host = createServer().listen(0, '127.0.0.1');
  host.on('session', (session) => {
    const at = carried.push(0) - 1;
    session.on('stream', (stream: ServerHttp2Stream) => {
      carried[at]! += 1;
      stream.respond({ ':status': 200 });
      setTimeout(() => stream.end(), 20);
    });
  });
  await once(host, 'listening');
  const engine = new Engine();
  await engine.listen();
  const options = {
    '@type': `type.googleapis.com/${TYPE}`,
    common_http_protocol_options: { max_requests_per_connection: 2 },
    explicit_http_config: { http2_protocol_options: {} },
  };
  const { port } = host.address() as AddressInfo;
  engine.configure(
    { host: { port, options: { typed_extension_protocol_options: { [TYPE]: options } } } },
    { routes: [{ match: { prefix: '/' }, route: { cluster: 'host' } }] },
  );
  const session = connect(`http://127.0.0.1:${engine.port}`);
  await once(session, 'remoteSettings');
  // All in one write.
  const streams = Array.from({ length: 10 }, () => session.request({ ':path': '/' }).resume());
  await Promise.all(streams.map((stream) => once(stream, 'end')));
  session.destroy();
  expect(carried).toEqual([2, 2, 2, 2, 2]);
  engine.close();
  host.close();
});
