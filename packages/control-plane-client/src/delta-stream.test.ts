import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createLogger } from '@aquifer/runtime';
import { ADDRESS_TYPE } from '@aquifer/wire';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../test/fixtures/eventually.ts';
import { DeltaStream, type TerminationReason } from './delta-stream.ts';

/** A server that takes connections and never says a word, and the times at which it took them. */
async function silentServer() {
  const acceptedAtMs: number[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    acceptedAtMs.push(performance.now());
    sockets.push(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(close);
  return { port: (server.address() as AddressInfo).port, acceptedAtMs, close };
}

function follow(port: number, connectTimeoutMs: number): TerminationReason[] {
  const terminations: TerminationReason[] = [];
  const stream = new DeltaStream({
    endpoint: {
      address: `127.0.0.1:${port}`,
      rootCertPath: null,
      serverName: null,
      tokenPath: null,
      headers: {},
      clusterId: 'Kubernetes',
    },
    node: { id: 'ztunnel~10.0.0.1~ztunnel-1.istio-system~x', metadata: {} },
    subscriptions: [{ typeUrl: ADDRESS_TYPE, names: '*', apply: () => [] }],
    log: createLogger('xds', { format: 'plain', levels: 'off', write: () => undefined }),
    onSynced: () => undefined,
    onTermination: (reason) => terminations.push(reason),
    connectTimeoutMs,
  });
  void stream.run();
  onTestFinished(() => stream.stop());
  return terminations;
}

test('a control plane that refuses connections is tried again ever more slowly', async () => {
  const gone = await silentServer();
  gone.close();
  const terminations = follow(gone.port, 10_000);
  await delay(1_000);
  // 20 + 40 + 80 + 160 + 320 ms; without the growing delay there would be dozens.
  expect(terminations.length).toBeLessThanOrEqual(7);
  expect(new Set(terminations)).toEqual(new Set(['ConnectionError']));
});

test('an address that never answers is given up after the time limit, and tried again', async () => {
  const silent = await silentServer();
  const terminations = follow(silent.port, 150);
  await eventually(() => silent.acceptedAtMs.length >= 3);
  expect(new Set(terminations)).toEqual(new Set(['ConnectionError']));
});
