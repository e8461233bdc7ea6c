import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { WorkQueue } from './work-queue.ts';

/** A queue whose reconcile asks to be called again after a while, as for an object that waits for something. */
function waitingQueue(everyMs: number) {
  const looks: number[] = [];
  const queue: WorkQueue = new WorkQueue(
    async (key) => {
      looks.push(performance.now());
      queue.addAfter(key, everyMs);
    },
    () => undefined,
  );
  return { queue, looks };
}

test('changes of an object that waits do not multiply the looks at it', async () => {
  const { queue, looks } = waitingQueue(200);
  for (let n = 0; n < 20; n++) {
    queue.add('pod');
    await delay(5);
  }
  const before = looks.length;
  await delay(1000);
  queue.stop();
  expect(looks.length - before).toBeLessThanOrEqual(6);
  expect(looks.length - before).toBeGreaterThan(1);
});

test('the earliest of several looks that were asked for is taken', async () => {
  const looks: number[] = [];
  const queue = new WorkQueue(
    async () => void looks.push(performance.now()),
    () => undefined,
  );
  const startedMs = performance.now();
  queue.addAfter('pod', 5000);
  queue.addAfter('pod', 20);
  queue.addAfter('pod', 4000);
  await delay(500);
  queue.stop();
  expect(looks).toHaveLength(1);
  expect(looks[0]! - startedMs).toBeLessThan(500);
});
