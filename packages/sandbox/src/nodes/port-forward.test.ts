import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { namespacePath } from './network.ts';
import { connectInside } from './port-forward.ts';

const NAMESPACE = `aquifer-forward-${process.pid}`;
const NETWORK = namespacePath(NAMESPACE);
const PORT = 7000;
/** Says who speaks, and what it heard once the other side has finished. */
const SERVER = `
require('node:net').createServer({ allowHalfOpen: true }, (socket) => {
  socket.write('hello ');
  let heard = '';
  socket.on('data', (chunk) => (heard += chunk));
  socket.on('end', () => socket.end(heard));
}).listen(${PORT}, '127.0.0.1', () => console.log('listening'));
`;

let server: ChildProcess;
beforeAll(async () => {
  execFileSync('ip', ['netns', 'add', NAMESPACE]);
  execFileSync('ip', ['-n', NAMESPACE, 'link', 'set', 'lo', 'up']);
  server = spawn('nsenter', [`--net=${NETWORK}`, process.execPath, '-e', SERVER]);
  await once(server.stdout!, 'data');
});
afterAll(() => {
  server.kill('SIGKILL');
  execFileSync('ip', ['netns', 'del', NAMESPACE]);
});

/** Processes that this one has started and that run. */
function children(): string[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ');
}

test('a connection carries both directions, each to its own end', async () => {
  const socket = await connectInside(NETWORK, PORT);
  socket.end('how are you?');
  expect(await text(socket)).toBe('hello how are you?');
});

test('connections at the same time share one process', async () => {
  const before = children().length;
  const sockets = await Promise.all(Array.from({ length: 20 }, () => connectInside(NETWORK, PORT)));
  expect(children().length).toBe(before);
  const heard = await Promise.all(
    sockets.map((socket, i) => {
      socket.end(String(i));
      return text(socket);
    }),
  );
  expect(heard).toEqual(sockets.map((_, i) => `hello ${i}`));
});

test('a port where nobody listens, and a network that is gone, are said', async () => {
  await expect(connectInside(NETWORK, 1)).rejects.toThrow('ECONNREFUSED');
  await expect(connectInside(namespacePath('aquifer-nowhere'), PORT)).rejects.toThrow('gone');
});
