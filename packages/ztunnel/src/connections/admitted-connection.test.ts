import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { createLogger, TimeSlice } from '@aquifer/runtime';
import { describe, expect, onTestFinished, test } from 'vitest';
import { aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { ownSockets } from '../../../../test/fixtures/socket-settings.ts';
import { OwnPod } from '../policy/own-pod.ts';
import { PolicyTable } from '../policy/policy-table.ts';
import { proxyPorts } from '../ports.ts';
import { TrafficReadings, TrafficTotals } from '../telemetry/traffic-totals.ts';
import { carryInbound } from './admitted-connection.ts';
import { OpenConnections } from './open-connections.ts';

/** Entering a network namespace needs root. */
const isRoot = process.getuid?.() === 0;
const POD = { namespace: 'shop', name: 'web', serviceAccount: 'web' };
const DESTINATION = aWorkload({ name: 'web', addresses: ['127.0.0.1'] });

async function listening(server: Server): Promise<number> {
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A pod whose application says everything back, reached through one inbound connection. */
async function callThroughProxy(isDenied: boolean) {
  const lines: string[] = [];
  const access = createLogger('access', {
    ...{ format: 'plain', levels: 'info' },
    write: (line) => lines.push(line),
  });
  const readings = new TrafficReadings();
  const totals = new TrafficTotals(readings.openSockets, (series) => readings.add(series));
  const own = new OwnPod(POD);
  const table = new PolicyTable();
  const scope = 'namespace' as const;
  const deny = { name: 'p', namespace: 'shop', scope, groups: [[]], dryRun: false };
  table.add([{ id: 1, policy: { ...deny, action: 'deny' } }]);
  own.update(DESTINATION, table.combine(isDenied ? [1] : []));
  const connections = new OpenConnections(own);
  const upstream = { ip: '127.0.0.1', port: await listening(createServer((s) => s.pipe(s))) };
  const client = { ip: '127.0.0.1', port: 1 };
  const network = {
    sockets: ownSockets(),
    network: '',
    preserveSource: false,
    tunnelsToLoopback: true,
    proxyPorts: proxyPorts(false),
  };
  const carry = (socket: Socket) =>
    carryInbound(
      {
        caller: { accept: () => socket, refuse: () => socket.destroy(), onGivenUp: undefined },
        ...{ identity: null, client, upstream, preamble: null },
        addresses: { src: client, originalDst: null, actualDst: upstream, protocol: 'TCP' },
        recorded: {
          ...{ reporter: 'destination', client, dst: upstream, hboneAuthority: null },
          ...{ source: null, sourceIdentity: null, destination: DESTINATION },
          ...{ destinationIdentity: DESTINATION, service: null, isMutualTls: false },
        },
      },
      { connections, record: { access, totals }, network },
    );
  const carried = Promise.withResolvers<void>();
  const settings = { allowHalfOpen: true, pauseOnConnect: true };
  const front = createServer(settings, (s) => carried.resolve(carry(s)));
  const socket = connect(await listening(front), '127.0.0.1');
  socket.end('hello');
  const answer = await text(socket);
  await carried.promise;
  return { answer, lines, open: await connections.describe(new TimeSlice(5)) };
}

describe.skipIf(!isRoot)('an inbound connection', () => {
  test('that has ended is open no more, and has one line in the log', async () => {
    const { answer, lines, open } = await callThroughProxy(false);
    expect(answer).toBe('hello');
    expect(open).toEqual({ inbound: [], outbound: [] });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('bytes_sent=5 bytes_recv=5');
  });

  test('that a policy refuses reaches nobody, and has one line in the log', async () => {
    const { answer, lines, open } = await callThroughProxy(true);
    expect(answer).toBe('');
    expect(open).toEqual({ inbound: [], outbound: [] });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(
      'connection closed due to policy rejection: explicitly denied by: shop/p',
    );
  });
});
