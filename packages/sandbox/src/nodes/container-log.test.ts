import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { ContainerLog } from './container-log.ts';

function openLog(): { log: ContainerLog; path: string } {
  const directory = mkdtempSync(join(tmpdir(), 'container-log-'));
  const path = join(directory, '0.log');
  const log = new ContainerLog(path);
  onTestFinished(() => {
    log.close();
    rmSync(directory, { recursive: true });
  });
  return { log, path };
}

test('lines are kept with time and stream, and printed as they were written', async () => {
  const { log, path } = openLog();
  log.write('stdout', 'one\ntw');
  log.write('stderr', 'oops\n');
  log.write('stdout', 'o\nrest');
  log.close();
  expect(await text(log.read({}))).toBe('one\noops\ntwo\nrest');
  expect(readFileSync(path, 'utf8')).toMatch(/^\d{4}-.*Z stdout F one\n.*Z stderr F oops\n/);
});

test('tail, a byte limit and timestamps shape the output', async () => {
  const { log } = openLog();
  log.write('stdout', 'a\nb\nc\n');
  expect(await text(log.read({ tailLines: 2 }))).toBe('b\nc\n');
  expect(await text(log.read({ tailLines: 0 }))).toBe('');
  expect(await text(log.read({ limitBytes: 3 }))).toBe('a\nb');
  expect(await text(log.read({ timestamps: true, tailLines: 1 }))).toMatch(/^\d{4}.*Z c\n$/);
});

test('a follower gets what was and what comes, until the container ends', async () => {
  const { log } = openLog();
  log.write('stdout', 'before\n');
  const followed = text(log.read({ follow: true }));
  log.write('stdout', 'after\n');
  log.close();
  expect(await followed).toBe('before\nafter\n');
});
