import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../../test/fixtures/eventually.ts';

const MODULE = new URL('./give-back.ts', import.meta.url).href;
const GARBAGE_BYTES = 60_000_000;

/** A process that leaves garbage in its heap, tells its size when it is asked, and is then idle or busy. */
function launch(afterwards: string): ChildProcess {
  const script = `
    import { giveBackWhenIdle } from ${JSON.stringify(MODULE)};
    giveBackWhenIdle(() => process.send('given back'), 3_000);
    let garbage = Array.from({ length: 500_000 }, (_, i) => ({ i, text: 'text ' + i }));
    process.send(process.memoryUsage().heapTotal);
    garbage = null;
    process.on('message', () => process.send(process.memoryUsage().heapTotal));
    ${afterwards}`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

test('an idle thread gives back what a load has left in its heap, once', async () => {
  const child = launch('');
  const [before] = (await once(child, 'message')) as [number];
  expect(before).toBeGreaterThan(GARBAGE_BYTES);
  const messages: unknown[] = [];
  child.on('message', (message) => messages.push(message));
  await eventually(() => messages.length === 1, { timeoutMs: 10_000, what: 'a collection' });
  expect(messages).toEqual(['given back']);
  child.send('size');
  await eventually(() => messages.length === 2);
  expect(messages[1]).toBeLessThan(GARBAGE_BYTES / 4);
});

test('a gap in a load is not the end of it', async () => {
  // A tenth of a second of work, and then a pause that is shorter than what counts as the end.
  const child = launch(`
    const work = () => { for (const until = performance.now() + 100; performance.now() < until;); };
    setInterval(work, 2_500);
    setTimeout(() => process.send('still at work'), 9_000);`);
  await once(child, 'message');
  expect(await once(child, 'message')).toEqual(['still at work', undefined]);
});

test('a busy thread is left alone', async () => {
  // Two milliseconds of work in twenty, for longer than an idle thread would wait.
  const child = launch(`
    setInterval(() => { for (const until = performance.now() + 2; performance.now() < until;); }, 20);
    setTimeout(() => process.send('still busy'), 5_000);`);
  await once(child, 'message');
  expect(await once(child, 'message')).toEqual(['still busy', undefined]);
});
