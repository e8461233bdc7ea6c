import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { spendProcessorMs } from '../../../../test/fixtures/processor-time.ts';
import { machineCpu } from './machine-cpu.ts';
import { type NodeProcess, programMemory } from './program-memory.ts';

test('work of the machine is told from idling, and the kernel’s from that of programs', () => {
  const text = 'cpu  100 10 30 800 40 2 3 500 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n';
  expect(machineCpu(text)).toEqual({
    busyMicros: 1_450_000,
    kernelMicros: 350_000,
    softirqMicros: 30_000,
    totalMicros: 9_850_000,
  });
});

test('this machine’s own figures grow with work', () => {
  const before = machineCpu();
  spendProcessorMs(200);
  const busyMs = (machineCpu().busyMicros - before.busyMicros) / 1000;
  expect(busyMs).toBeGreaterThan(100);
});

test('files of a program count once for each node, private memory for each process', async () => {
  const start = async (): Promise<number> => {
    const child = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1e6)']);
    onTestFinished(() => void child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    return child.pid!;
  };
  const [first, second] = await Promise.all([start(), start()]);
  const on = (...nodes: string[]): NodeProcess[] =>
    [first, second].slice(0, nodes.length).map((pid, at) => ({ pid, node: nodes[at]! }));
  const one = programMemory(on('a'));
  const sameNode = programMemory(on('a', 'a'));
  const twoNodes = programMemory(on('a', 'b'));
  expect(one.fileKiB).toBeGreaterThan(10 << 10);
  expect(sameNode.fileKiB / one.fileKiB).toBeCloseTo(1, 1);
  expect(twoNodes.fileKiB / one.fileKiB).toBeCloseTo(2, 1);
  expect(sameNode.privateKiB).toBeGreaterThan(1.5 * one.privateKiB);
  expect(programMemory([{ pid: 2 ** 22 + 1, node: 'a' }])).toEqual({ privateKiB: 0, fileKiB: 0 });
});
