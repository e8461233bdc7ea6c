import { expect, test } from 'vitest';
import { runCommand, runLimited } from './command.ts';

const LIMITS = { env: { PATH: process.env.PATH ?? '' }, timeoutMs: 30_000, mostChars: 20 };

test('what programs print comes back to whoever started them, also of a hundred at once', async () => {
  const numbers = Array.from({ length: 100 }, (_, number) => `${number}`);
  const printed = await Promise.all(numbers.map((number) => runCommand('cat', [], number)));
  expect(printed).toEqual(numbers);
  await expect(runCommand('sh', ['-c', 'seq 100000'])).resolves.toMatch(/\n100000\n$/);
});

test('a program that fails, is ended, or is not there says which and why', async () => {
  const failed = runCommand('sh', ['-c', 'echo no room >&2; exit 3']);
  await expect(failed).rejects.toThrow(/^sh -c .*: exit code 3: no room$/);
  await expect(runCommand('sh', ['-c', 'kill -TERM $$'])).rejects.toThrow(/: SIGTERM$/);
  await expect(runCommand('no-such-program', [])).rejects.toThrow(/ENOENT$/);
  await expect(runLimited('no-such-program', [], LIMITS)).rejects.toThrow(/ENOENT$/);
});

test('a program that reads nothing of what it is given has not failed', async () => {
  await expect(runCommand('true', [], 'x'.repeat(1 << 20))).resolves.toBe('');
});

test('with limits a program ends in time, whoever else holds its output open, and says no more than so much', async () => {
  const script = 'sleep 3 & yes & sleep 0.2; kill $!; exit 4';
  const { exitCode, output } = await runLimited('sh', ['-c', script], LIMITS);
  expect([exitCode, output]).toEqual([4, 'y\n'.repeat(10)]);
  const slow = await runLimited('sleep', ['60'], { ...LIMITS, timeoutMs: 50 });
  expect(slow.exitCode).toBeNull();
});
