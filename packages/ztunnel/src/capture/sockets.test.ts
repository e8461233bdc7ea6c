import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { NetworkNamespace } from './netns.ts';
import { dialInPod } from './sockets.ts';

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
  const namespace = NetworkNamespace.open('/proc/self/ns/net');
  onTestFinished(() => namespace.close());
  const port = await silentPort();
  const startedMs = performance.now();
  let giveUp: (() => void) | null = null;
  const dialing = dialInPod(
    namespace,
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
