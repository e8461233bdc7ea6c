import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { TimerWheel } from './timer-wheel.ts';

test('timeouts fire in order, late by less than three ticks, and not when cancelled', async () => {
  const wheel = new TimerWheel();
  const fired: string[] = [];
  const startedMs = performance.now();
  wheel.start(120, () => fired.push('later'));
  wheel.start(40, () => fired.push('sooner'));
  const cancelled = wheel.start(60, () => fired.push('never'));
  cancelled.isPending = false;
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
