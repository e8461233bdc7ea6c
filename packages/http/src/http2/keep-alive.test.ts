import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { KeepAlive } from './keep-alive.ts';

function start() {
  const seen = { pings: 0, isDead: false };
  const keepAlive = new KeepAlive(
    { intervalMs: 50, timeoutMs: 150 },
    {
      ping: () => {
        seen.pings += 1;
      },
      onDead: () => {
        seen.isDead = true;
        keepAlive.stop();
      },
    },
  );
  onTestFinished(() => keepAlive.stop());
  return { keepAlive, seen };
}

test('a peer that is never heard of is dead', async () => {
  const { seen } = start();
  await expect.poll(() => seen.isDead, { timeout: 5000 }).toBe(true);
  expect(seen.pings).toBe(1);
});

test('a peer that sends something is alive, though it does not answer the ping', async () => {
  const { keepAlive, seen } = start();
  await expect.poll(() => seen.pings).toBe(1);
  keepAlive.heard();
  await delay(250);
  expect(seen.isDead || seen.pings > 3).toBe(false);
  await expect.poll(() => seen.isDead, { timeout: 5000 }).toBe(true);
});
