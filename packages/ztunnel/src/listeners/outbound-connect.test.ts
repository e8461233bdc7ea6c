import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import {
  ConnectListener,
  type ConnectRequest,
  exchangeDuplex,
  hboneSecureContext,
  splice,
  TunnelPool,
} from '@aquifer/hbone';
import { formatIdentity } from '@aquifer/model';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../../test/fixtures/certificates.ts';
import { aService, aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { ownSockets } from '../../../../test/fixtures/socket-settings.ts';
import { proxyPorts } from '../ports.ts';
import { connectUpstream, dialHbone, type Route } from './outbound-connect.ts';

/** Entering a network namespace needs root. */
const isRoot = process.getuid?.() === 0;
const source = aWorkload({ name: 'client', addresses: ['127.0.0.1'] });
const gateway = aWorkload({ name: 'gateway', serviceAccount: 'gateway', addresses: ['127.0.0.1'] });
const server = aWorkload({ name: 'server', serviceAccount: 'server', addresses: ['127.0.0.1'] });
const NOT_COUNTED = { received: () => undefined, sent: () => undefined };

let authority: TestAuthority;
beforeAll(() => {
  authority = new TestAuthority();
});
afterAll(() => {
  authority[Symbol.dispose]();
});

async function listen(
  identity: string,
  onConnect: (request: ConnectRequest) => void,
): Promise<number> {
  const listener = new ConnectListener({
    certificate: authority.issue(identity),
    trustDomain: 'cluster.local',
    onConnect,
    onHandshakeFailed: () => undefined,
  });
  onTestFinished(() => listener.abort());
  listener.server.listen(0, '127.0.0.1');
  await once(listener.server, 'listening');
  return (listener.server.address() as AddressInfo).port;
}

describe.skipIf(!isRoot)('through a gateway', () => {
  test('only the inner request names the network, and whoever answers it says and proves who it is (C061)', async () => {
    const networks: (string | null)[] = [];
    const inner = await listen(formatIdentity(server), (request) => {
      networks.push(request.header('x-forwarded-network'));
      const stream = exchangeDuplex(request.accept({ baggage: 'service.name=beyond' }));
      stream.pipe(stream);
    });
    const outer = await listen(formatIdentity(gateway), (request) => {
      networks.push(request.header('x-forwarded-network'));
      const onwards = connect({ port: inner, host: '127.0.0.1', allowHalfOpen: true });
      onwards.once('connect', () => void splice(request.accept(), onwards, NOT_COUNTED));
    });
    const sockets = ownSockets();
    const context = hboneSecureContext(authority.issue(formatIdentity(source)));
    const dialer = {
      secureContext: () => context,
      dial: (hop: { readonly ip: string; readonly port: number }) => dialHbone(sockets, hop),
    };
    const pool = new TunnelPool({ dialer });
    onTestFinished(() => pool.abort());
    const route: Route = {
      kind: 'double-hbone',
      nextHop: { ip: '127.0.0.1', port: outer },
      authority: 'server.shop.svc.cluster.local:80',
      expectedSans: [formatIdentity(gateway)],
      innerSans: [formatIdentity(server)],
      destination: gateway,
      service: aService({ name: 'server', vip: '10.96.0.1' }),
      isChoice: true,
    };
    const call = { client: { ip: '127.0.0.1', port: 1 }, source };
    const network = {
      ...{ sockets, network: 'here', preserveSource: false, tunnelsToLoopback: true },
      proxyPorts: proxyPorts(false),
    };
    const upstream = await connectUpstream(call, route, { network, tunnels: { pool, dialer } });
    expect(networks).toEqual([null, 'here']);
    expect(upstream.beyond?.baggage).toBe('service.name=beyond');
    expect(formatIdentity(upstream.beyond!.identity)).toBe(formatIdentity(server));
    upstream.end();
  });
});
