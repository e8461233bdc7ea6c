import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readlinkSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { ownSockets } from '../../../../test/fixtures/socket-settings.ts';
import { closeSocket, getOption, OPTION } from './libc.ts';
import { NetworkNamespace } from './netns.ts';
import { dialInPod, listenInPod } from './sockets.ts';

/** Entering a network namespace takes root, even the own one. */
const isRoot = process.getuid?.() === 0;
const OWN = '/proc/self/ns/net';

test.skipIf(!isRoot)(
  'sockets of the proxy are marked, and its listeners share their port (C243)',
  async () => {
    const sockets = ownSockets();
    onTestFinished(() => sockets.namespace.close());
    const listeners = [listenInPod(sockets, 15_987), listenInPod(sockets, 15_987)];
    onTestFinished(() => listeners.forEach(closeSocket));
    const server = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const socket = await dialInPod(sockets, { ip: '127.0.0.1', port }, { sourceIp: null });
    onTestFinished(() => void socket.destroy());
    const { fd } = (socket as Socket & { _handle: { fd: number } })._handle;
    const value = (of: number, option: (typeof OPTION)['mark' | 'reusePort']) =>
      getOption(of, option, 4)!.readInt32LE();
    for (const listener of listeners) {
      expect([value(listener, OPTION.mark), value(listener, OPTION.reusePort)]).toEqual([0x539, 1]);
    }
    expect([value(fd, OPTION.mark), value(fd, OPTION.reusePort)]).toEqual([0x539, 0]);
  },
);

test.skipIf(!isRoot)(
  'what runs in a namespace runs there, and what follows does not (C244)',
  () => {
    const name = `run-${process.pid}`;
    execFileSync('ip', ['netns', 'add', name]);
    onTestFinished(() => void execFileSync('ip', ['netns', 'del', name]));
    const namespace = NetworkNamespace.open(`/var/run/netns/${name}`);
    onTestFinished(() => namespace.close());
    const where = () => readlinkSync('/proc/thread-self/ns/net');
    const home = where();
    expect(namespace.run(where)).toBe(`net:[${namespace.inode}]`);
    expect(where()).toBe(home);
    const failing = () =>
      namespace.run(() => {
        throw new Error('failed there');
      });
    expect(failing).toThrow('failed there');
    expect(where()).toBe(home);
  },
);

test.skipIf(!isRoot)(
  'a namespace that was given back is entered no more, though its number is in use again',
  () => {
    const fd = openSync(OWN, 'r');
    const namespace = NetworkNamespace.borrow(fd);
    expect(namespace.run(() => 'inside')).toBe('inside');
    namespace.close();
    expect(() => namespace.run(() => 'inside')).toThrow('has ended');
    closeSync(fd);
  },
);

test('a namespace that is closed twice closes no descriptor of others', () => {
  const namespace = NetworkNamespace.open(OWN);
  namespace.close();
  const others = openSync(OWN, 'r');
  expect(others).toBe(namespace.fd);
  namespace.close();
  closeSync(others);
});
