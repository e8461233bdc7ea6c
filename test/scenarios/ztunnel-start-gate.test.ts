import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { createLogger } from '@aquifer/runtime';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { DataPlane } from '../../packages/ztunnel/src/data-plane/data-plane.ts';
import { CaptureLoop } from '../../packages/ztunnel/src/node/capture-loop.ts';
import type { EnrolledPod } from '../../packages/ztunnel/src/node/enrolled-pod.ts';
import { NriPlugin } from '../../packages/ztunnel/src/nri/nri-plugin.ts';
import { StartGate } from '../../packages/ztunnel/src/nri/start-gate.ts';
import { TestAuthority } from '../fixtures/certificates.ts';
import { ContainerRuntime } from '../fixtures/container-runtime.ts';
import { hasGo } from '../fixtures/go-program.ts';
import { NodeProcesses } from '../fixtures/node-processes.ts';
import { type PodNamespace, PodNamespaces } from '../fixtures/pod-namespaces.ts';
import { startDataPlane } from '../fixtures/test-data-plane.ts';

const LOG = createLogger('test', { format: 'plain', levels: 'off' });
const IP = '10.83.0.2';

/** As the control plane sends it when the pod has been given to the node. */
const ENROLLED: EnrolledPod = {
  uid: 'u1',
  namespace: 'shop',
  name: 'web',
  serviceAccount: 'web',
  addresses: [],
  bypassInbound: false,
  captureDns: false,
  cgroupIds: ['u1'],
};

describe.skipIf(!hasGo)('a runtime that asks before it starts a pod', () => {
  let program: string;
  let pods: PodNamespaces;
  let node: PodNamespace;
  let pod: PodNamespace;
  let processes: NodeProcesses;
  let authority: TestAuthority;
  let runtime: ContainerRuntime;
  let dataPlane: DataPlane;
  let loop: CaptureLoop;
  let plugin: NriPlugin;

  beforeAll(() => {
    program = ContainerRuntime.build();
    authority = new TestAuthority();
  }, 300_000);
  afterAll(() => {
    rmSync(dirname(program), { recursive: true });
    authority[Symbol.dispose]();
  });

  beforeEach(async () => {
    pods = new PodNamespaces('aqf-gate');
    node = pods.add('node', '10.83.0.1');
    pod = pods.add('web', IP);
    processes = new NodeProcesses();
    processes.addFirst(pods.start(node, ['sleep', '100']).pid!);
    runtime = await ContainerRuntime.start(program);
    dataPlane = startDataPlane({ threads: 1, authority });
    loop = new CaptureLoop({
      dataPlane,
      node: 'node-1',
      procPath: processes.path,
      drainDeadlineMs: 100,
      log: LOG,
      report: () => undefined,
      reportInventory: () => undefined,
    });
  });
  afterEach(async () => {
    plugin.stop();
    loop.stop();
    await dataPlane.stop();
    await runtime[Symbol.asyncDispose]();
    processes[Symbol.dispose]();
    await pods[Symbol.asyncDispose]();
  });

  async function gate(onFailure: 'open' | 'closed', ...wanted: EnrolledPod[]): Promise<void> {
    loop.want(new Map(wanted.map((each) => [each.uid, each])));
    plugin = new NriPlugin({
      path: runtime.socket,
      listener: new StartGate(loop, onFailure, LOG),
      log: LOG,
    });
    void plugin.run();
    await runtime.synchronized();
  }

  function isCaptured(): boolean {
    return pods.run(pod, ['nft', 'list', 'ruleset']).includes('redirect to :15001');
  }

  function run() {
    return runtime.run({ uid: 'u1', name: 'web', path: pod.path, ip: IP });
  }

  test('no container of a pod of the mesh runs before the pod is captured', async () => {
    await gate('closed', ENROLLED);
    expect(await run()).toMatchObject({ error: '' });
    expect(isCaptured()).toBe(true);
    expect(await runtime.createContainer('u1')).toMatchObject({ error: '' });
  });

  test('its probes are let through by the address that the runtime knows', async () => {
    await gate('closed', ENROLLED);
    await run();
    expect(pods.run(node, ['nft', 'list', 'ruleset'])).toContain(IP);
  });

  test('a pod outside of the mesh is not held up', async () => {
    await gate('closed');
    expect((await run()).ms).toBeLessThan(500);
    expect((await runtime.createContainer('u1')).ms).toBeLessThan(500);
    expect(isCaptured()).toBe(false);
  });

  test('a pod that cannot be captured does not start, until it can be', async () => {
    const program15001 = pods.start(pod, [
      process.execPath,
      '-e',
      "require('node:net').createServer().listen(15001, '0.0.0.0', () => console.log('up'))",
    ]);
    await new Promise((resolve) => program15001.stdout!.once('data', resolve));
    await gate('closed', ENROLLED);
    expect(await run()).toMatchObject({ error: '' });
    const refused = await runtime.createContainer('u1');
    expect(refused.error).toContain('pod shop/web is not captured yet');
    await pods.endProcesses();
    const createAgain = async () => (await runtime.createContainer('u1')).error;
    await expect.poll(createAgain, { timeout: 30_000, interval: 500 }).toBe('');
    expect(isCaptured()).toBe(true);
  });

  test('where the choice is to fail open, it starts all the same', async () => {
    const program15001 = pods.start(pod, [
      process.execPath,
      '-e',
      "require('node:net').createServer().listen(15001, '0.0.0.0', () => console.log('up'))",
    ]);
    await new Promise((resolve) => program15001.stdout!.once('data', resolve));
    await gate('open', ENROLLED);
    await run();
    expect(await runtime.createContainer('u1')).toMatchObject({ error: '' });
    expect(isCaptured()).toBe(false);
  });

  test('a proxy that was away captures the pods that it hears of when it is back', async () => {
    await gate('closed');
    await run();
    plugin.stop();
    await gate('closed', ENROLLED);
    await expect.poll(isCaptured, { timeout: 10_000 }).toBe(true);
  });
});
