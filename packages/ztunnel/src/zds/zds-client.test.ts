import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@aquifer/runtime';
import { WorkloadRequestSchema } from '@aquifer/wire/gen/istio/zds_pb';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { TestAuthority } from '../../../../test/fixtures/certificates.ts';
import { CniNodeAgent } from '../../../../test/fixtures/cni-node-agent.ts';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import { startDataPlane } from '../../../../test/fixtures/test-data-plane.ts';
import { AF_INET, bindSocket, closeSocket, listenSocket, tcpSocket } from '../capture/libc.ts';
import { NetworkNamespace } from '../capture/netns.ts';
import { socketAddress } from '../capture/sockets.ts';
import type { DataPlane } from '../data-plane/data-plane.ts';
import { ZdsClient } from './zds-client.ts';

const LOG = createLogger('inpod', { format: 'plain', levels: 'off' });
const isRoot = process.getuid?.() === 0;
/** Two namespaces that stand for pods. */
const NETNS = ['a', 'b'].map((name) => `zds-${process.pid}-${name}`);
const [A, B] = NETNS.map((name) => `/var/run/netns/${name}`) as [string, string];
const INFO = { name: 'web', namespace: 'shop', serviceAccount: 'web' };

/** Whether a proxy has its listener for outgoing connections in the namespace. */
function isServed(path: string): boolean {
  const namespace = NetworkNamespace.open(path);
  const tables = ['tcp', 'tcp6'].map((table) =>
    namespace.run(() => readFileSync(`/proc/thread-self/net/${table}`, 'utf8')),
  );
  namespace.close();
  return tables.some((table) => / [0-9A-F]+:3A99 [0-9A-F:]+ 0A /.test(table));
}

/** A program of the pod that listens on a port of the proxy, until it is closed. */
function occupy(path: string): Disposable {
  const namespace = NetworkNamespace.open(path);
  const fd = namespace.run(() => {
    const socket = tcpSocket(AF_INET);
    bindSocket(socket, socketAddress({ ip: '0.0.0.0', port: 15_001 }));
    listenSocket(socket, 1);
    return socket;
  });
  namespace.close();
  return { [Symbol.dispose]: () => closeSocket(fd) };
}

function add(uid: string) {
  return { case: 'add' as const, value: { uid, workloadInfo: INFO } };
}
function keep(uid: string) {
  return { case: 'keep' as const, value: { uid } };
}
function del(uid: string) {
  return { case: 'del' as const, value: { uid } };
}
const SNAPSHOT = { case: 'snapshotSent' as const, value: {} };

describe.skipIf(!isRoot)('with the node agent of Istio', () => {
  let folder: string;
  let agent: CniNodeAgent;
  let client: ZdsClient;
  let dataPlane: DataPlane;
  let authority: TestAuthority;
  let settled: boolean;
  let hello: Buffer;

  beforeAll(() => {
    for (const name of NETNS) execFileSync('ip', ['netns', 'add', name]);
    folder = mkdtempSync(join(tmpdir(), 'zds-'));
    authority = new TestAuthority();
    dataPlane = startDataPlane({ threads: 1, authority });
  });
  afterAll(async () => {
    await dataPlane.stop();
    authority[Symbol.dispose]();
    for (const name of NETNS) execFileSync('ip', ['netns', 'del', name]);
    rmSync(folder, { recursive: true });
  });

  beforeEach(async () => {
    const path = join(folder, 'ztunnel.sock');
    agent = new CniNodeAgent(path);
    settled = false;
    client = new ZdsClient({
      path,
      dataPlane,
      captureDns: true,
      log: LOG,
      onSettled: (value) => {
        settled = value;
      },
    });
    const ended = client.run();
    onTestFinished(async () => {
      client.stop();
      agent[Symbol.dispose]();
      await ended;
      for (const { uid } of client.pods.states()) await dataPlane.stopPod(uid);
    });
    hello = await agent.accept();
  });

  test('the proxy says version 1 before anything else', () => {
    expect([...hello]).toEqual([0x08, 0x01]);
  });

  test('a pod that is added is served, and the node is ready with the snapshot (C231)', async () => {
    expect(await agent.ask(add('u1'), [A])).toBe('');
    expect(isServed(A)).toBe(true);
    expect(settled).toBe(false);
    expect(await agent.ask(SNAPSHOT)).toBe('');
    expect(settled).toBe(true);
  });

  test('a pod that is added twice is served once (C232)', async () => {
    await agent.ask(add('u1'), [A]);
    expect(await agent.ask(add('u1'), [A])).toBe('');
    expect(client.pods.counts().started).toBe(1);
  });

  test('a pod that cannot be served is refused, and served later without another word (C233)', async () => {
    await agent.ask(SNAPSHOT);
    {
      using _program = occupy(A);
      expect(await agent.ask(add('u1'), [A])).toContain('failure to start proxy : port 15001');
      expect(settled).toBe(false);
    }
    await client.pods.retry();
    expect(isServed(A)).toBe(true);
    expect(client.pods.counts()).toEqual({ active: 1, pending: 0, started: 1, stopped: 0 });
  });

  test('a pod that could not be served counts where it is added again (C234)', async () => {
    using _program = occupy(A);
    await agent.ask(add('u1'), [A]);
    expect(await agent.ask(add('u1'), [B])).toBe('');
    expect(client.pods.counts()).toMatchObject({ active: 1, pending: 0, started: 1 });
  });

  test('a pod that could not be served and is deleted is not tried again (C235)', async () => {
    using _program = occupy(A);
    await agent.ask(add('u1'), [A]);
    expect(await agent.ask(del('u1'))).toBe('');
    expect(client.pods.counts().pending).toBe(0);
    await agent.ask(SNAPSHOT);
    await agent.ask(add('u2'), [A]);
    await agent.ask(del('u2'));
    expect(client.pods.counts().pending).toBe(0);
  });

  test('a pod that is deleted and added again in the same namespace is served anew (C236)', async () => {
    await agent.ask(SNAPSHOT);
    await agent.ask(add('u1'), [A]);
    await agent.ask(del('u1'));
    expect(isServed(A)).toBe(false);
    await agent.ask(add('u1'), [A]);
    expect(client.pods.counts().started).toBe(2);
    expect(isServed(A)).toBe(true);
  });

  test('an agent that comes back and keeps a pod leaves it alone, and one that it does not name goes (C237, C241)', async () => {
    await agent.ask(add('u1'), [A]);
    await agent.ask(add('u2'), [B]);
    await agent.ask(SNAPSHOT);
    await agent.accept();
    expect(await agent.ask(keep('u1'))).toBe('');
    expect([isServed(A), isServed(B)]).toEqual([true, true]);
    expect(settled).toBe(false);
    await agent.ask(SNAPSHOT);
    expect([isServed(A), isServed(B)]).toEqual([true, false]);
    expect(client.pods.counts().started).toBe(2);
    expect(settled).toBe(true);
  });

  test('a pod that comes back in another namespace is served there (C238)', async () => {
    await agent.ask(add('u1'), [A]);
    await agent.ask(add('u1'), [B]);
    expect([isServed(A), isServed(B)]).toEqual([false, true]);
    expect(client.pods.counts()).toEqual({ active: 1, pending: 0, started: 2, stopped: 1 });
  });

  test('the last pod goes, and the node is ready (C240)', async () => {
    await agent.ask(add('u1'), [A]);
    await agent.ask(SNAPSHOT);
    await agent.ask(del('u1'));
    expect(await agent.ask(del('nobody'))).toBe('');
    expect(client.pods.counts().active).toBe(0);
    expect(settled).toBe(true);
  });

  test.for([
    {
      what: 'a pod without its description (C239)',
      payload: { case: 'add' as const, value: { uid: 'u1' } },
      files: [0],
    },
    { what: 'a deletion with a descriptor (C230)', payload: del('u1'), files: [0] },
    { what: 'an addition without a descriptor (C230)', payload: add('u1'), files: [] },
    { what: 'an addition with two descriptors (C230)', payload: add('u1'), files: [0, 1] },
  ])(
    '$what is refused, the agent is asked anew, and pods are served on',
    async ({ payload, files }) => {
      await agent.ask(add('u0'), [A]);
      await agent.ask(SNAPSHOT);
      const error = await agent.ask(
        payload,
        files.map((i) => NETNS.map((n) => `/var/run/netns/${n}`)[i]!),
      );
      expect(error).toMatch(/failure to (read|process) message : /);
      await agent.accept();
      expect(isServed(A)).toBe(true);
      expect(settled).toBe(false);
      await agent.ask(keep('u0'));
      await agent.ask(SNAPSHOT);
      expect(settled).toBe(true);
    },
  );

  test('what is no message at all is refused', async () => {
    expect(await agent.askBytes(Buffer.alloc(50, 255))).toContain('failure to read message');
    await agent.accept();
  });

  test('an empty message, and a descriptor that comes with it, leave nothing behind', async () => {
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    agent.tell(Buffer.alloc(0), [A]);
    await agent.accept();
    expect(open()).toBe(before);
  });

  test('an agent that reads no answers is left, and the proxy goes on meanwhile', async () => {
    await agent.ask(SNAPSHOT);
    const request = toBinary(
      WorkloadRequestSchema,
      create(WorkloadRequestSchema, { payload: del('nobody') }),
    );
    await eventually(() => {
      while (agent.tell(request)) expect(settled).toBe(true);
      return !settled;
    });
    await agent.accept();
  });

  test('an agent that goes away before it says anything is found again, and the node is not ready meanwhile (C242)', async () => {
    await agent.ask(SNAPSHOT);
    expect(settled).toBe(true);
    agent.disconnect();
    await eventually(() => !settled);
    await agent.accept();
    await agent.ask(SNAPSHOT);
    expect(settled).toBe(true);
  });
});
