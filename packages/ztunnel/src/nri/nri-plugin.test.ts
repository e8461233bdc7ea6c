import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { createLogger } from '@aquifer/runtime';
import fc from 'fast-check';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
} from 'vitest';
import { ContainerRuntime } from '../../../../test/fixtures/container-runtime.ts';
import { hasGo } from '../../../../test/fixtures/go-program.ts';
import { runs } from '../../../../test/fuzz/runs.ts';
import { CHANNEL, Mux } from './mux.ts';
import { NriPlugin, type Sandbox, type SandboxListener } from './nri-plugin.ts';
import { serveTtrpc } from './ttrpc.ts';

const LOG = createLogger('inpod', { format: 'plain', levels: 'off' });

/** Notes what it hears; each container waits for `release`, if there is one. */
class Notes implements SandboxListener {
  readonly heard: string[] = [];
  readonly sandboxes: Sandbox[] = [];
  limitMs = 0;
  hold: Promise<void> = Promise.resolve();
  refuse = false;

  known(sandboxes: readonly Sandbox[]): void {
    this.heard.push(`known ${sandboxes.map(({ uid }) => uid).join(' ')}`.trim());
  }

  async started(sandbox: Sandbox, limitMs: number): Promise<void> {
    this.heard.push(`started ${sandbox.uid}`);
    this.sandboxes.push(sandbox);
    this.limitMs = limitMs;
    await this.hold;
  }

  async containerWanted({ uid }: Sandbox): Promise<void> {
    this.heard.push(`container ${uid}`);
    if (this.refuse) throw new Error('not yet');
  }

  removed({ uid }: Sandbox): void {
    this.heard.push(`removed ${uid}`);
  }
}

const POD = { uid: 'u1', name: 'web', path: '/var/run/netns/web', ip: '10.0.0.7' };

describe.skipIf(!hasGo)('with the plugin interface of containerd', () => {
  let program: string;
  let runtime: ContainerRuntime;
  let notes: Notes;
  let plugin: NriPlugin;

  beforeAll(() => {
    program = ContainerRuntime.build();
  }, 300_000);
  afterAll(() => {
    rmSync(dirname(program), { recursive: true });
  });
  beforeEach(async () => {
    runtime = await ContainerRuntime.start(program);
    notes = new Notes();
    plugin = new NriPlugin({ path: runtime.socket, listener: notes, log: LOG });
    void plugin.run();
    await runtime.synchronized();
  });
  afterEach(async () => {
    plugin.stop();
    await runtime[Symbol.asyncDispose]();
  });

  test('a pod is heard of with its network namespace and addresses before its container', async () => {
    expect(await runtime.run(POD)).toMatchObject({ error: '' });
    expect(await runtime.createContainer('u1')).toMatchObject({ error: '' });
    expect(notes.heard).toEqual(['known', 'started u1', 'container u1']);
    expect(notes.sandboxes).toEqual([
      {
        id: 's-u1',
        uid: 'u1',
        namespace: 'shop',
        name: 'web',
        networkPath: '/var/run/netns/web',
        addresses: ['10.0.0.7'],
      },
    ]);
    await runtime.remove('u1');
    expect(notes.heard.at(-1)).toBe('removed u1');
  });

  test('the runtime waits for the answer, which comes before it loses patience', async () => {
    notes.hold = new Promise((resolve) => setTimeout(resolve, 500));
    expect((await runtime.run(POD)).ms).toBeGreaterThanOrEqual(490);
    expect(notes.limitMs).toBe(1700);
  });

  test('a container that is refused is not made, and the next is asked for', async () => {
    await runtime.run(POD);
    notes.refuse = true;
    expect((await runtime.createContainer('u1')).error).toContain('not yet');
    notes.refuse = false;
    expect((await runtime.createContainer('u1')).error).toBe('');
  });

  test('a plugin that comes back hears of all pods that there are', async () => {
    await runtime.run(POD);
    plugin.stop();
    const again = new NriPlugin({ path: runtime.socket, listener: notes, log: LOG });
    onTestFinished(() => again.stop());
    void again.run();
    expect(await runtime.synchronized()).toBe(1);
    expect(notes.heard.at(-1)).toBe('known u1');
  });
});

test('a runtime that is not there yet is found when it comes, and one that talks nonsense is left', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nri-'));
  const path = join(folder, 'nri.sock');
  const plugin = new NriPlugin({ path, listener: new Notes(), log: LOG });
  onTestFinished(() => {
    plugin.stop();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const server = createServer();
  void plugin.run();
  server.listen(path);
  for (let round = 0; round < 2; round++) {
    const [socket] = (await once(server, 'connection')) as [Socket];
    const closed = once(socket.resume(), 'close');
    socket.write(Buffer.alloc(64, 255));
    await closed;
  }
  expect(server.listening).toBe(true);
});

test('a runtime that says nothing is left, and found again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nri-'));
  const path = join(folder, 'nri.sock');
  const server = createServer((socket) => socket.resume()).listen(path);
  await once(server, 'listening');
  const plugin = new NriPlugin({ path, listener: new Notes(), log: LOG });
  onTestFinished(() => {
    plugin.stop();
    server.close();
    rmSync(folder, { recursive: true });
  });
  let attempts = 0;
  server.on('connection', () => {
    attempts += 1;
  });
  void plugin.run();
  await expect.poll(() => attempts, { timeout: 15_000 }).toBe(2);
});

test('frames cut anywhere arrive whole and in order', () => {
  const frame = fc.record({
    channel: fc.constantFrom(1, 2, 7),
    bytes: fc.uint8Array({ maxLength: 40 }),
  });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 20 }), fc.array(fc.nat(300)), (frames, cuts) => {
      const trunk = new PassThrough();
      const got: Record<number, number[]> = { 1: [], 2: [] };
      const mux = new Mux(trunk, (error) => {
        throw error;
      });
      mux.read(CHANNEL.plugin, (bytes) => got[1]!.push(...bytes));
      mux.read(CHANNEL.runtime, (bytes) => got[2]!.push(...bytes));
      const all = Buffer.concat(
        frames.map(({ channel, bytes }) => {
          const header = Buffer.alloc(8);
          header.writeUInt32BE(channel, 0);
          header.writeUInt32BE(bytes.length, 4);
          return Buffer.concat([header, bytes]);
        }),
      );
      let from = 0;
      for (const cut of [...cuts.toSorted((a, b) => a - b), all.length]) {
        if (cut > from) trunk.emit('data', all.subarray(from, cut));
        from = Math.max(from, cut);
      }
      for (const channel of [1, 2]) {
        const sent = frames
          .filter((each) => each.channel === channel)
          .flatMap(({ bytes }) => [...bytes]);
        expect(got[channel]).toEqual(sent);
      }
    }),
    runs(100),
  );
});

test('whatever a peer calls, it is answered or cut off, and nothing is thrown', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const trunk = new PassThrough();
      const failures: Error[] = [];
      const mux = new Mux(trunk, (error) => failures.push(error));
      serveTtrpc(mux, CHANNEL.plugin, {});
      const header = Buffer.alloc(8);
      header.writeUInt32BE(CHANNEL.plugin, 0);
      header.writeUInt32BE(bytes.length, 4);
      trunk.emit('data', Buffer.concat([header, bytes]));
      expect(failures.length).toBeLessThanOrEqual(1);
    }),
    runs(500),
  );
});
