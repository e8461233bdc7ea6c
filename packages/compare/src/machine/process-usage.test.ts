import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { spendProcessorMs } from '../../../../test/fixtures/processor-time.ts';
import { cpuSeconds, memoryKiB } from './process-usage.ts';

test('processor time grows with work, and counts user and system', () => {
  const before = cpuSeconds([process.pid]);
  const { user, system } = process.cpuUsage();
  spendProcessorMs(200);
  const used = cpuSeconds([process.pid]) - before;
  const own = process.cpuUsage({ user, system });
  expect(used).toBeGreaterThan(0.15);
  expect(Math.abs(used - (own.user + own.system) / 1e6)).toBeLessThan(0.05);
});

/** Grows when it is told to: memory that another test has given back would not grow. */
const GROWING = `
  console.log(process.memoryUsage.rss() / 1024);
  process.stdin.once('data', () => {
    globalThis.block = Buffer.alloc(64 << 20, 1);
    console.log('grown');
  });
`;

test('memory is below the resident set, which counts shared pages in full, and grows with an allocation', async () => {
  const child = spawn(process.execPath, ['-e', GROWING], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const pids = [child.pid!];
  const [resident] = (await once(child.stdout, 'data')) as [Buffer];
  const before = memoryKiB(pids);
  expect(before).toBeLessThanOrEqual(1.2 * Number(resident));
  child.stdin.write('grow');
  await once(child.stdout, 'data');
  expect(memoryKiB(pids) - before).toBeGreaterThan(60 << 10);
});

test('a process that is gone counts nothing', () => {
  expect(cpuSeconds([2 ** 22 + 1])).toBe(0);
  expect(memoryKiB([2 ** 22 + 1])).toBe(0);
});
