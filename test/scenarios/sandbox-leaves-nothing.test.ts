import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { OutsideHost } from '../fixtures/outside-host.ts';
import {
  cleanUpSandbox,
  machineTraces,
  SandboxProcess,
  sandboxObstacle,
} from '../fixtures/sandbox.ts';

const obstacle = sandboxObstacle();

const PODS = `
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: web, namespace: default }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
      - name: app
        image: busybox
        # A child that its parent forgets: it must be found by its cgroup.
        command: [sh, -c, 'setsid sleep 1000 & exec sleep 1000']
`;

describe.skipIf(obstacle !== null)(`the end of a sandbox${obstacle ? `: ${obstacle}` : ''}`, () => {
  let sandbox: SandboxProcess | null = null;

  async function startWithPods(env: Record<string, string> = {}): Promise<SandboxProcess> {
    sandbox = await SandboxProcess.start({ env });
    expect(sandbox.output).toContain('"ready"');
    sandbox.kubectl(['apply', '-f', '-'], PODS);
    sandbox.kubectl(['rollout', 'status', 'ds/web', '--timeout=30s']);
    return sandbox;
  }

  afterEach(async () => {
    await sandbox?.stop('SIGKILL');
    cleanUpSandbox();
    if (sandbox !== null) rmSync(sandbox.dataDirectory, { recursive: true, force: true });
    sandbox = null;
  });

  test.for(['SIGTERM', 'SIGINT'] as const)('%s leaves nothing behind', async (signal) => {
    const before = machineTraces();
    const running = await startWithPods();
    expect(machineTraces()).not.toEqual(before);
    await running.stop(signal);
    expect(machineTraces()).toEqual(before);
    expect(existsSync(running.dataDirectory)).toBe(false);
  });

  test('after a crash, cleanup finds everything, the way out of the machine included', async () => {
    await using outside = await OutsideHost.start();
    const before = machineTraces();
    const running = await startWithPods({ SANDBOX_EGRESS: 'true' });
    const curl = ['curl', '-sS', '--max-time', '5', outside.url];
    const seen = running.kubectl(['exec', 'ds/web', '--', ...curl]);
    expect(seen).toBe(outside.machineAddress);
    await running.stop('SIGKILL');
    expect(machineTraces()).not.toEqual(before);
    expect(cleanUpSandbox()).toContain('"found":true');
    expect(machineTraces()).toEqual(before);
    expect(existsSync(running.dataDirectory)).toBe(false);
  });

  test('after a crash, the next start cleans up by itself', async () => {
    const before = machineTraces();
    await (await startWithPods()).stop('SIGKILL');
    const next = await startWithPods();
    expect(next.output).toContain('"cleaned-up"');
    await next.stop();
    expect(machineTraces()).toEqual(before);
  });

  test('a second sandbox is refused and names the first', async () => {
    const first = await startWithPods();
    const second = await SandboxProcess.start();
    expect(await second.ended).toBe(1);
    expect(second.output).toContain(`process ${first.child.pid}`);
    expect(second.output).toContain(first.dataDirectory);
    rmSync(second.dataDirectory, { recursive: true });
    expect(first.kubectl(['get', 'pods', '--no-headers'])).toMatch(/Running/);
  });

  test('with SANDBOX_KEEP_DATA the objects outlive the sandbox, and their pods run again', async () => {
    const keep = { SANDBOX_KEEP_DATA: 'true' };
    const first = await startWithPods(keep);
    first.kubectl(['create', 'configmap', 'kept', '--from-literal=a=b']);
    await first.stop();
    expect(existsSync(join(first.dataDirectory, 'kubeconfig'))).toBe(false);
    sandbox = await SandboxProcess.start({ dataDirectory: first.dataDirectory, env: keep });
    expect(sandbox.kubectl(['get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}'])).toBe('b');
    sandbox.kubectl(['rollout', 'status', 'ds/web', '--timeout=30s']);
    expect(sandbox.kubectl(['exec', 'ds/web', '--', 'echo', 'alive'])).toBe('alive\n');
  });
});
