import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { TunnelPool } from '@aquifer/hbone';
import { createLogger } from '@aquifer/runtime';
import { describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import { aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { aSnapshot } from '../../../../test/fixtures/mesh-snapshot.ts';
import { ownSockets } from '../../../../test/fixtures/socket-settings.ts';
import { listenInPod } from '../capture/sockets.ts';
import { OpenConnections } from '../connections/open-connections.ts';
import { OwnPod } from '../policy/own-pod.ts';
import { PolicyTable } from '../policy/policy-table.ts';
import { proxyPorts } from '../ports.ts';
import { TrafficReadings, TrafficTotals } from '../telemetry/traffic-totals.ts';
import { HostnameResolver } from './hostname-resolver.ts';
import { listenSocks } from './socks.ts';

/** Entering a network namespace needs root. */
const isRoot = process.getuid?.() === 0;
const pod = aWorkload({ name: 'client', addresses: ['10.0.0.1'] });
const HELLO = [5, 1, 0];
const CONNECTED = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

async function listening(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, onConnection);
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A pod that serves SOCKS5, an application that says everything back, and what is logged. */
async function serve() {
  const lines: string[] = [];
  const asked: string[] = [];
  const write = (line: string) => lines.push(line);
  const access = createLogger('access', { format: 'plain', levels: 'info', write });
  const readings = new TrafficReadings();
  const own = new OwnPod(pod);
  own.update(pod, new PolicyTable().combine([]));
  const sockets = ownSockets();
  const socksPort = await freePort();
  const dialer = {
    secureContext: () => Promise.reject(new Error('no tunnels')),
    dial: () => Promise.reject(new Error('no tunnels')),
  };
  const pool = new TunnelPool({ dialer });
  const listener = listenSocks(listenInPod(sockets, socksPort, '127.0.0.1'), {
    own,
    mesh: { current: aSnapshot([pod], []) },
    demands: null,
    connections: new OpenConnections(own),
    record: {
      access,
      totals: new TrafficTotals(readings.openSockets, (series) => readings.add(series)),
    },
    baggage: null,
    network: {
      ...{ sockets, network: '', preserveSource: false, tunnelsToLoopback: true },
      proxyPorts: proxyPorts(true),
    },
    tunnels: { pool, dialer },
    hostnames: new HostnameResolver(true, () => undefined),
    lookUp: async (name, family) => {
      asked.push(`${name} ${family}`);
      return name === 'echo.shop' ? '127.0.0.1' : null;
    },
  });
  onTestFinished(() => {
    listener.abort();
    pool.abort();
    sockets.namespace.close();
  });
  const echo = await listening((socket) => void socket.pipe(socket));
  return { socksPort, echo, lines, asked };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Sends all at once, or byte by byte, and reads until the other end is done. */
async function exchange(port: number, bytes: readonly number[], isSlow = false): Promise<number[]> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  await once(socket, 'connect');
  for (const piece of isSlow ? bytes.map((byte) => [byte]) : [bytes]) {
    socket.write(Buffer.from(piece));
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
  return [...(await buffer(socket))];
}

const portBytes = (port: number): number[] => [port >> 8, port & 0xff];
const nameBytes = (name: string): number[] => [name.length, ...Buffer.from(name)];

describe.skipIf(!isRoot)('a program that speaks SOCKS5', () => {
  test('is connected by address, with what it sent ahead, in one piece or in many', async () => {
    const { socksPort, echo, lines } = await serve();
    const request = [5, 1, 0, 1, 127, 0, 0, 1, ...portBytes(echo)];
    for (const isSlow of [false, true]) {
      const answer = await exchange(socksPort, [...HELLO, ...request, 1, 2, 3], isSlow);
      expect(answer).toEqual([5, 0, ...CONNECTED, 1, 2, 3]);
    }
    await eventually(() => lines.length === 2);
    expect(lines[0]).toContain(`dst.addr=127.0.0.1:${echo} direction="outbound" bytes_sent=3`);
  });

  test('is connected by name, in the family that it came in', async () => {
    const { socksPort, echo, asked } = await serve();
    const request = [5, 1, 0, 3, ...nameBytes('echo.shop'), ...portBytes(echo)];
    expect(await exchange(socksPort, [...HELLO, ...request, 7])).toEqual([5, 0, ...CONNECTED, 7]);
    expect(asked).toEqual(['echo.shop 4']);
  });

  test.for([
    ['asks for a name that nobody has', [...HELLO, 5, 1, 0, 3, 1, 0x61, 0, 80], [5, 0, 5, 4]],
    ['speaks version 4', [4, 1, 0, 80, 1, 2, 3, 4, 0], [5, 7]],
    ['will not go without authentication', [5, 1, 2], [5, 0xff]],
    ['offers no method', [5, 0], [5, 7]],
    ['wants to be connected to', [...HELLO, 5, 2, 0, 1, 1, 2, 3, 4, 0, 80], [5, 0, 5, 7]],
    ['has an address of another kind', [...HELLO, 5, 1, 0, 9, 1, 2], [5, 0, 5, 7]],
    ['has an empty name', [...HELLO, 5, 1, 0, 3, 0, 0, 80], [5, 0, 5, 7]],
    ['leaves too early', [...HELLO, 5, 1], [5, 0, 5, 7]],
  ] as const)('is refused if it %s', async ([, bytes, answer]) => {
    const { socksPort } = await serve();
    const seen = await exchange(socksPort, bytes);
    expect(seen.slice(0, answer.length)).toEqual(answer);
  });

  test('does not reach the proxy itself', async () => {
    const { socksPort, lines } = await serve();
    const request = [...HELLO, 5, 1, 0, 1, 127, 0, 0, 1, ...portBytes(15_080)];
    await exchange(socksPort, request).catch(() => undefined);
    await eventually(() => lines.length === 1);
    expect(lines[0]).toContain('attempted recursive call to ourselves');
  });
});
