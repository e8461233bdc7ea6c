import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@aquifer/runtime';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import { CaptureLoop } from './capture-loop.ts';
import type { EnrolledPod } from './enrolled-pod.ts';

/** Enough that a look takes longer than a change. */
const PROCESSES = 2000;

/** A view of /proc in which nothing belongs to a pod. */
function busyNode(): string {
  const path = mkdtempSync(join(tmpdir(), 'busy-node-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  for (let pid = 2; pid < PROCESSES + 2; pid++) {
    mkdirSync(join(path, String(pid)));
    symlinkSync('/proc/self/ns', join(path, String(pid), 'ns'));
    writeFileSync(join(path, String(pid), 'cgroup'), '0::/init.scope\n');
  }
  return path;
}

function aPod(name: string): EnrolledPod {
  return {
    uid: name,
    namespace: 'shop',
    name,
    serviceAccount: name,
    addresses: ['10.50.0.7'],
    bypassInbound: false,
    captureDns: true,
    cgroupIds: [name],
  };
}

test('each pod is attended to although other pods come and go faster than the node can be looked at', async () => {
  const attended: string[] = [];
  const loop = new CaptureLoop({
    dataPlane: { startPod: () => Promise.resolve(), stopPod: () => Promise.resolve() },
    node: 'node-1',
    procPath: busyNode(),
    drainDeadlineMs: 0,
    log: createLogger('test', { format: 'plain', levels: 'off' }),
    reportInventory: () => undefined,
    report: ({ name }) => attended.push(name),
  });
  let changes = 0;
  const churn = setInterval(() => {
    changes += 1;
    loop.want(new Map([aPod('steady'), aPod(`job-${changes}`)].map((pod) => [pod.uid, pod])));
  }, 1);
  onTestFinished(() => {
    clearInterval(churn);
    loop.stop();
  });
  await expect.poll(() => attended, { timeout: 5000 }).toContain('steady');
});

test.skipIf(process.getuid?.() !== 0)(
  'a pod that comes back in another sandbox is captured there, while its old one is still being let go',
  async () => {
    const names = ['node', 'before', 'after'].map((name) => `loop-${process.pid}-${name}`);
    for (const name of names) execFileSync('ip', ['netns', 'add', name]);
    const [node, before, after] = names.map((name) => `/var/run/netns/${name}`);
    const procPath = mkdtempSync(join(tmpdir(), 'node-'));
    mkdirSync(join(procPath, '1/ns'), { recursive: true });
    symlinkSync(node!, join(procPath, '1/ns/net'));
    const reported: string[] = [];
    const loop = new CaptureLoop({
      dataPlane: { startPod: () => Promise.resolve(), stopPod: () => Promise.resolve() },
      node: 'node-1',
      procPath,
      drainDeadlineMs: 60_000,
      log: createLogger('test', { format: 'plain', levels: 'off' }),
      reportInventory: () => undefined,
      report: ({ state }) => reported.push(state),
    });
    onTestFinished(() => {
      loop.stop();
      rmSync(procPath, { recursive: true });
      for (const name of names) execFileSync('ip', ['netns', 'del', name]);
    });
    const pod = { ...aPod('web'), addresses: [] };
    const sandbox = { uid: 'web', namespace: 'shop', name: 'web', addresses: [] };
    const wanted = new Map([['web', pod]]);
    loop.sandboxStarted({ ...sandbox, id: 'first', networkPath: before! });
    loop.want(wanted);
    await eventually(() => reported.join() === 'captured');
    loop.want(new Map());
    await eventually(() => reported.join() === 'captured,released');
    loop.sandboxStarted({ ...sandbox, id: 'second', networkPath: after! });
    loop.want(wanted);
    await eventually(() => loop.isCaptured('web') === true);
    expect(reported).toEqual(['captured', 'released', 'captured']);
  },
);
