import { once } from 'node:events';
import { connect, createSecureServer, type Http2Session, type Settings } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../test/fixtures/certificates.ts';
import { tunnelsTo } from '../../../test/fixtures/tunnels.ts';
import { ConnectListener } from './connect-listener.ts';
import type { Http2Sizes } from './http2-settings.ts';
import type { WorkloadCertificate } from './tls.ts';

const SIZES: Http2Sizes = {
  streamWindowBytes: 100_000,
  connectionWindowBytes: 3_000_000,
  maxFrameBytes: 20_000,
};
const ANNOUNCED = { initialWindowSize: 100_000, maxFrameSize: 20_000 };
const USUAL = { initialWindowSize: 262_144, maxFrameSize: 1_048_576 };

let authority: TestAuthority;
let certificate: WorkloadCertificate;
beforeAll(() => {
  authority = new TestAuthority();
  certificate = authority.issue('spiffe://cluster.local/ns/shop/sa/server');
});
afterAll(() => {
  authority[Symbol.dispose]();
});

/** What the peer was told, once it has been told all of it. */
async function announced(session: Http2Session, windowBytes: number): Promise<Settings> {
  const settings = once(session, 'remoteSettings') as Promise<[Settings]>;
  const [received] = await settings;
  await expect.poll(() => session.state.remoteWindowSize).toBe(windowBytes);
  return received;
}

test.for([
  [undefined, USUAL, 16_777_216],
  [SIZES, ANNOUNCED, SIZES.connectionWindowBytes],
] as const)(
  'with %o a listener announces %o and a window of %i',
  async ([http2, expected, windowBytes]) => {
    const listener = new ConnectListener({
      ...{ certificate, trustDomain: 'cluster.local' },
      ...(http2 !== undefined && { http2 }),
      onConnect: () => undefined,
      onHandshakeFailed: () => undefined,
    });
    onTestFinished(() => listener.abort());
    listener.server.listen(0, '127.0.0.1');
    await once(listener.server, 'listening');
    const { port } = listener.server.address() as AddressInfo;
    const { key, chain: cert } = certificate;
    const client = connect(`https://127.0.0.1:${port}`, { key, cert, rejectUnauthorized: false });
    onTestFinished(() => client.destroy());
    expect(await announced(client, windowBytes)).toMatchObject(expected);
  },
);

test.for([
  [undefined, USUAL, 16_777_216],
  [SIZES, ANNOUNCED, SIZES.connectionWindowBytes],
] as const)(
  'with %o a tunnel announces %o and a window of %i',
  async ([http2, expected, windowBytes]) => {
    const { key, chain: cert } = certificate;
    const server = createSecureServer({ key, cert });
    onTestFinished(() => void server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const asking = once(server, 'session') as Promise<[Http2Session]>;
    const tunnels = tunnelsTo((server.address() as AddressInfo).port, {
      certificate,
      ...(http2 !== undefined && { http2 }),
    });
    const lease = tunnels.lease().catch(() => null);
    const [session] = await asking;
    session.on('error', () => undefined);
    expect(await announced(session, windowBytes)).toMatchObject(expected);
    tunnels.pool.abort();
    await lease;
  },
);
