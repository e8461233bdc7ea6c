import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { TimerWheel } from './timer-wheel.ts';

test('timeouts fire in order, late by less than three ticks, and not when cancelled', async () => {
  const wheel = new TimerWheel();
  const fired: string[] = [];
  const startedMs = performance.now();
  wheel.start(120, () => fired.push('later'));
  wheel.start(40, () => fired.push('sooner'));
  const cancelled = wheel.start(60, () => fired.push('never'));
  cancelled.cancel();
  await expect.poll(() => fired).toEqual(['sooner', 'later']);
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(115);
});

test('a timeout longer than one turn of the wheel waits for its own turn', async () => {
  const wheel = new TimerWheel();
  let fired = false;
  wheel.start(5_200, () => {
    fired = true;
  });
  await delay(300);
  expect(fired).toBe(false);
});

test('timeouts of one slot may cancel each other and start new ones as they fire', async () => {
  const wheel = new TimerWheel();
  const fired: string[] = [];
  const first = wheel.start(20, () => fired.push('first'));
  wheel.start(20, () => {
    fired.push('second');
    first.cancel();
    wheel.start(20, () => fired.push('third'));
  });
  await expect.poll(() => fired).toEqual(['second', 'third']);
});

test('a cancelled timeout keeps nothing alive', async () => {
  const wheel = new TimerWheel();
  const kept = (() => {
    const request = { body: 'x' };
    const timeout = wheel.start(60_000, () => void request.body);
    timeout.cancel();
    return new WeakRef(request);
  })();
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // Until the job ends in which it was made, a WeakRef holds its target.
  await delay(0);
  collect();
  expect(kept.deref()).toBeUndefined();
});
