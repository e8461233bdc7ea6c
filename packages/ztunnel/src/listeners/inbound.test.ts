import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { createLogger } from '@aquifer/runtime';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../../test/fixtures/certificates.ts';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import { aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { aSnapshot } from '../../../../test/fixtures/mesh-snapshot.ts';
import { ownSockets } from '../../../../test/fixtures/socket-settings.ts';
import { freePort } from '../../../../test/fixtures/static-proxy.ts';
import { tunnelsTo } from '../../../../test/fixtures/tunnels.ts';
import { listenInPod } from '../capture/sockets.ts';
import { OpenConnections } from '../connections/open-connections.ts';
import { OwnPod } from '../policy/own-pod.ts';
import { PolicyTable } from '../policy/policy-table.ts';
import { proxyPorts } from '../ports.ts';
import { PeerBaggage } from '../telemetry/peer-baggage.ts';
import { TrafficReadings, TrafficTotals } from '../telemetry/traffic-totals.ts';
import { listenInbound } from './inbound.ts';

/** Entering a network namespace needs root. */
const isRoot = process.getuid?.() === 0;
const BAGGAGE = 'k8s.cluster.name=far,k8s.deployment.name=claimed,service.name=claimed';
const server = aWorkload({ name: 'server', addresses: ['127.0.0.1'], network: 'here' });
const client = aWorkload({ name: 'client', addresses: ['127.0.0.2'], network: 'here' });

let authority: TestAuthority;
beforeAll(() => {
  authority = new TestAuthority();
});
afterAll(() => {
  authority[Symbol.dispose]();
});

/** Of an application that sends back what it gets. */
async function applicationPort(): Promise<number> {
  const listener = createServer((socket) => void socket.pipe(socket));
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  onTestFinished(() => void listener.close());
  return (listener.address() as AddressInfo).port;
}

/** One CONNECT to a pod's listener: what the answer says, and what is logged about the caller. */
async function call(
  headers: Readonly<Record<string, string>>,
  options: { readonly baggage: PeerBaggage | null; readonly from?: string },
): Promise<{ readonly answer: string | null; readonly line: string }> {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line);
  const log = createLogger('access', { format: 'plain', levels: 'info', write });
  const readings = new TrafficReadings();
  const own = new OwnPod(server);
  own.update(server, new PolicyTable().combine([]));
  const sockets = ownSockets();
  const port = await freePort();
  const listener = listenInbound(
    listenInPod(sockets, port),
    {
      own,
      log,
      mesh: { current: aSnapshot([server, client], []) },
      demands: null,
      connections: new OpenConnections(own),
      record: {
        access: log,
        totals: new TrafficTotals(readings.openSockets, (series) => readings.add(series)),
      },
      baggage: options.baggage,
      network: {
        ...{ sockets, network: 'here', preserveSource: false, tunnelsToLoopback: true },
        proxyPorts: proxyPorts(false),
      },
    },
    {
      certificate: authority.issue('spiffe://cluster.local/ns/shop/sa/server'),
      trustDomain: 'cluster.local',
    },
  );
  onTestFinished(() => listener.abort());
  const application = await applicationPort();
  const tunnels = tunnelsTo(port, {
    certificate: authority.issue('spiffe://cluster.local/ns/proven/sa/caller'),
    from: options.from ?? '127.0.0.3',
  });
  const lease = await tunnels.lease(`127.0.0.1:${application}`, headers);
  lease.exchange.end();
  tunnels.pool.drain();
  const line = await eventually(() => lines.find((text) => text.includes('complete')));
  return { answer: lease.header('baggage'), line };
}

describe.skipIf(!isRoot)('with baggage', () => {
  test('an answer says which workload has answered (C064)', async () => {
    const { answer } = await call({}, { baggage: new PeerBaggage() });
    expect(answer).toContain('k8s.cluster.name=Kubernetes,k8s.namespace.name=shop,');
  });

  test('a caller of an unknown address is shown as it says, with what it has proven (C065)', async () => {
    const { line } = await call({ baggage: BAGGAGE }, { baggage: new PeerBaggage() });
    expect(line).toContain('src.workload="claimed" src.namespace="proven"');
    expect(line).toContain('src.identity="spiffe://cluster.local/ns/proven/sa/caller"');
    expect(line).toContain('src.cluster="far"');
  });

  test('a caller of a known address is what the mesh says, unless it comes through a gateway', async () => {
    const options = { baggage: new PeerBaggage(), from: '127.0.0.2' };
    const direct = await call({ baggage: BAGGAGE, 'x-forwarded-network': 'HERE' }, options);
    expect(direct.line).toContain('src.workload="client"');
    const forwarded = { baggage: BAGGAGE, 'x-forwarded-network': 'elsewhere' };
    expect((await call(forwarded, options)).line).toContain('src.workload="claimed"');
    const silent = await call({ 'x-forwarded-network': '' }, options);
    expect(silent.line).not.toContain('src.workload');
  });
});

describe.skipIf(!isRoot)('without baggage', () => {
  test('an answer says nothing, and what callers say is not read (C064) (C065)', async () => {
    const { answer, line } = await call({ baggage: BAGGAGE }, { baggage: null });
    expect(answer).toBe(null);
    expect(line).not.toContain('src.workload');
  });
});
