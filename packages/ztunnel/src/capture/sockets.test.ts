import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ownSockets } from '../../../../test/fixtures/socket-settings.ts';
import { closeSocket, getOption, OPTION } from './libc.ts';
import type { SocketSettings } from './pod-sockets.ts';
import { dialInPod, listenInPod } from './sockets.ts';

const LISTENER = `
const server = require('node:net').createServer();
server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port));
`;

/** A listener that has stopped to accept, and whose queue is full: the kernel answers nobody else. */
async function silentPort(): Promise<number> {
  const listener = spawn(process.execPath, ['-e', LISTENER]);
  onTestFinished(() => void listener.kill('SIGKILL'));
  const [port] = (await once(listener.stdout, 'data')) as [Buffer];
  listener.kill('SIGSTOP');
  for (let queued = 0; queued < 8; queued++) {
    const socket = connect(Number(port), '127.0.0.1').on('error', () => undefined);
    onTestFinished(() => void socket.destroy());
  }
  return Number(port);
}

/** Entering a network namespace takes root, even the own one. */
const isRoot = process.getuid?.() === 0;

test.skipIf(!isRoot)('a connection that nobody waits for any more is not made', async () => {
  const sockets = ownSockets();
  onTestFinished(() => sockets.namespace.close());
  const port = await silentPort();
  const startedMs = performance.now();
  let giveUp: (() => void) | null = null;
  const dialing = dialInPod(
    sockets,
    { ip: '127.0.0.1', port },
    {
      sourceIp: null,
      onGivenUp: (listener) => {
        giveUp = listener;
      },
    },
  );
  setTimeout(() => giveUp?.(), 100);
  await expect(dialing).rejects.toThrow('the caller gave up');
  expect(performance.now() - startedMs).toBeLessThan(5000);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function optionOf(fd: number, option: (typeof OPTION)[keyof typeof OPTION]): number {
  return getOption(fd, option, 4)?.readInt32LE() ?? -1;
}

function descriptorOf(socket: Socket): number {
  return (socket as Socket & { _handle: { fd: number } })._handle.fd;
}

/** What the kernel says of a listener, of a connection that it accepted, and of one that was dialled. */
async function optionsOf(settings: Partial<SocketSettings>) {
  const sockets = ownSockets(settings);
  const port = await freePort();
  const fd = listenInPod(sockets, port);
  const isDualStack = optionOf(fd, OPTION.v6Only) === 0;
  const listener = { mark: optionOf(fd, OPTION.mark), shared: optionOf(fd, OPTION.reusePort) };
  const server = createServer().listen({ fd });
  const accepting = once(server, 'connection') as Promise<[Socket]>;
  const dialled = await dialInPod(sockets, { ip: '127.0.0.1', port }, { sourceIp: null });
  const [accepted] = await accepting;
  const describeOptions = (socket: Socket) => {
    const descriptor = descriptorOf(socket);
    return {
      keepAlive: optionOf(descriptor, OPTION.keepAlive),
      time: optionOf(descriptor, OPTION.keepIdleSeconds),
      interval: optionOf(descriptor, OPTION.keepIntervalSeconds),
      retries: optionOf(descriptor, OPTION.keepCount),
      userTimeoutMs: optionOf(descriptor, OPTION.userTimeoutMs),
    };
  };
  const seen = {
    ...{ listener, isDualStack },
    dialledMark: optionOf(descriptorOf(dialled), OPTION.mark),
    dialledShared: optionOf(descriptorOf(dialled), OPTION.reusePort),
    dialled: describeOptions(dialled),
    accepted: describeOptions(accepted),
  };
  for (const socket of [dialled, accepted]) socket.destroy();
  server.close();
  sockets.namespace.close();
  return seen;
}

const KEEP_ALIVE = { timeSeconds: 20, intervalSeconds: 5, retries: 3 };

describe.skipIf(!isRoot)('sockets of a pod', () => {
  test('ask a silent peer as they are told, accepted or dialled (C188)', async () => {
    const { dialled, accepted } = await optionsOf({ keepAlive: KEEP_ALIVE, userTimeoutMs: 35_000 });
    const expected = { keepAlive: 1, time: 20, interval: 5, retries: 3, userTimeoutMs: 35_000 };
    expect(dialled).toEqual(expected);
    expect(accepted).toEqual(expected);
  });

  test('ask nobody if keep-alive is off (C188)', async () => {
    const { dialled, accepted } = await optionsOf({ keepAlive: null });
    expect(dialled).toMatchObject({ keepAlive: 0, userTimeoutMs: 0 });
    expect(accepted).toMatchObject({ keepAlive: 0, userTimeoutMs: 0 });
  });

  test('have their mark always, and share their ports as listeners only (C243)', async () => {
    const shared = await optionsOf({ mark: 0xf000_0539 });
    expect(shared.listener).toEqual({ mark: 0xf000_0539 | 0, shared: 1 });
    expect(shared).toMatchObject({ dialledMark: 0xf000_0539 | 0, dialledShared: 0 });
    expect((await optionsOf({ reusesPorts: false })).listener).toEqual({ mark: 0x539, shared: 0 });
    expect((await optionsOf({ mark: null })).listener.mark).toBe(0);
  });

  test('listen on IPv4 alone if IPv6 is off', async () => {
    expect((await optionsOf({})).isDualStack).toBe(true);
    expect((await optionsOf({ usesIpv6: false })).isDualStack).toBe(false);
  });

  test('of a port that is not shared cannot be had twice', async () => {
    const sockets = ownSockets({ reusesPorts: false });
    const port = await freePort();
    const fd = listenInPod(sockets, port);
    expect(() => listenInPod(sockets, port)).toThrow('EADDRINUSE');
    closeSocket(fd);
    sockets.namespace.close();
  });
});
