import { expect, test } from 'vitest';
import { cpuSeconds, memoryKiB, runningProcesses } from './process-usage.ts';

test('processor time grows with work, and counts user and system', () => {
  const before = cpuSeconds([process.pid]);
  const { user, system } = process.cpuUsage();
  const untilMs = performance.now() + 300;
  while (performance.now() < untilMs) Math.sqrt(before);
  const used = cpuSeconds([process.pid]) - before;
  const own = process.cpuUsage({ user, system });
  expect(used).toBeGreaterThan(0.05);
  expect(Math.abs(used - (own.user + own.system) / 1e6)).toBeLessThan(0.05);
});

test('memory is below the resident set, which counts shared pages in full, and grows with an allocation', () => {
  const before = memoryKiB([process.pid]);
  expect(before).toBeLessThanOrEqual(process.memoryUsage.rss() / 1024);
  const block = Buffer.alloc(64 << 20, 1);
  expect(memoryKiB([process.pid]) - before).toBeGreaterThan(60 << 10);
  expect(block[1]).toBe(1);
});

test('a process that is gone counts nothing', () => {
  expect(cpuSeconds([2 ** 22 + 1])).toBe(0);
  expect(memoryKiB([2 ** 22 + 1])).toBe(0);
});

test('processes are listed with command and cgroup', () => {
  const own = runningProcesses().find(({ pid }) => pid === process.pid);
  expect(own?.command[0]).toContain('node');
});
