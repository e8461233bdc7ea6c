import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../test/fixtures/eventually.ts';

const PROGRAM = new URL('./log-output.fixture.ts', import.meta.url).pathname;
const THREADS = ['main', 'thread-1', 'thread-2'];

/** What each thread of the program says about itself, ten times a second. */
interface Report {
  readonly thread: string;
  /** Turns of its event loop. */
  readonly ticks: number;
  readonly longestTickMs: number;
  readonly written: number;
  readonly dropped: number;
}

interface Program {
  readonly child: ChildProcess;
  /** Newest of each thread. */
  readonly reports: ReadonlyMap<string, Report>;
}

/** Three threads log lines of 200 bytes as fast as `linesPerTick` says; their standard output is a pipe, or a file. */
function start(linesPerTick: number, lines: number, output: 'pipe' | number = 'pipe'): Program {
  const child = spawn(process.execPath, [PROGRAM, String(linesPerTick), String(lines)], {
    stdio: ['ignore', output, 'inherit', 'ipc'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const reports = new Map<string, Report>();
  child.on('message', (report: Report) => reports.set(report.thread, report));
  return { child, reports };
}

/** All that comes until the pipe ends; `onLines` hears of how many more lines came. */
async function read(
  child: ChildProcess,
  onLines: (count: number) => void = () => undefined,
): Promise<string> {
  let output = '';
  for await (const chunk of child.stdout!.setEncoding('utf8')) {
    output += chunk as string;
    onLines((chunk as string).split('\n').length - 1);
  }
  return output;
}

/** Numbers of the lines of a thread in what was read; a line that is not whole fails. */
function numbersOf(thread: string, output: string): number[] {
  const lines = output.split('\n').slice(0, -1);
  for (const line of lines) {
    expect(line).toMatch(
      /\tinfo\t(main|thread-\d)\tline\tnumber=\d+ text="x{150}"$|\tlog\tlines are missing here/,
    );
  }
  const own = lines.filter((line) => line.includes(`\t${thread}\t`));
  return own.map((line) => Number(/number=(\d+)/.exec(line)?.[1]));
}

test('threads go on while nobody reads the log, and every line that was kept arrives whole and in order', async () => {
  const { child, reports } = start(20, 40_000);
  await eventually(
    () => THREADS.every((thread) => (reports.get(thread)?.written ?? 0) === 40_000),
    { timeoutMs: 20_000, what: 'all lines given to the log' },
  );
  // One that waits for the log would wait for ever.
  for (const thread of THREADS) expect(reports.get(thread)!.longestTickMs).toBeLessThan(5_000);
  const before = new Map([...reports].map(([thread, { ticks }]) => [thread, ticks]));
  await eventually(() =>
    THREADS.every((thread) => reports.get(thread)!.ticks > before.get(thread)! + 10),
  );
  // The pipe is full, and so is what each thread keeps: 10,000 lines and a batch or two. By now all threads have been counted.
  const { dropped } = reports.get('main')!;
  expect(dropped).toBeGreaterThan(3 * 29_000);
  let arrived = 0;
  const whole = read(child, (count) => {
    arrived += count;
  });
  // At its end a process waits for its log for a moment only.
  await eventually(() => arrived >= 3 * 40_000 - dropped, { timeoutMs: 20_000 });
  child.send('end');
  const output = await whole;
  const received = THREADS.map((thread) => numbersOf(thread, output));
  for (const numbers of received) expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  expect(received.flat()).toHaveLength(3 * 40_000 - dropped);
  const missing = [...output.matchAll(/lines are missing here: .*lines=(\d+)/g)];
  expect(missing.reduce((sum, [, lines]) => sum + Number(lines), 0)).toBe(dropped);
}, 60_000);

test('with a reader that keeps up nothing is dropped', async () => {
  const { child, reports } = start(5, 2_000);
  const whole = read(child);
  await eventually(() => THREADS.every((thread) => reports.get(thread)?.written === 2_000), {
    timeoutMs: 20_000,
  });
  child.send('end');
  const output = await whole;
  const all = Array.from({ length: 2_000 }, (_, number) => number);
  for (const thread of THREADS) expect(numbersOf(thread, output)).toEqual(all);
  expect(reports.get('main')!.dropped).toBe(0);
});

test('a process whose log nobody reads still ends soon', async () => {
  const { child, reports } = start(20, 40_000);
  await eventually(() => (reports.get('main')?.dropped ?? 0) > 0, { timeoutMs: 20_000 });
  child.send('end');
  const beganAtMs = performance.now();
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(performance.now() - beganAtMs).toBeLessThan(5_000);
});

test('a reader that has gone away for good costs lines only', async () => {
  const { child, reports } = start(5, 2_000);
  child.stdout!.destroy();
  await eventually(() => THREADS.every((thread) => reports.get(thread)?.written === 2_000), {
    timeoutMs: 20_000,
  });
  await eventually(() => reports.get('main')!.dropped === 3 * 2_000);
  child.send('end');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test.skipIf(process.getuid?.() !== 0)(
  'lines are whole again once a disk that was full has room',
  async () => {
    const disk = mkdtempSync(join(tmpdir(), 'full-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', disk]);
    const file = join(disk, 'log');
    const fd = openSync(file, 'a');
    onTestFinished(() => {
      closeSync(fd);
      execFileSync('umount', ['--lazy', disk]);
      rmdirSync(disk);
    });
    const { reports } = start(1, 1_000_000, fd);
    await eventually(() => [...reports.values()].some(({ dropped }) => dropped > 0));
    // What is there stays, the beginning of a line at its end included.
    execFileSync('mount', ['-o', 'remount,size=256k', disk]);
    await eventually(() => statSync(file).size > 200_000);
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    const whole =
      /^\S+\t(info\t(main|thread-\d)\tline\tnumber=\d+ text="x{150}"|.*lines are missing.*)$/;
    expect(lines.filter((line) => !whole.test(line)).length).toBe(1);
    expect(lines.filter((line) => line.split('\tline\t').length > 2)).toEqual([]);
  },
);
