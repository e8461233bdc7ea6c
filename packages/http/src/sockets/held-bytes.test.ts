import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { heldBytes } from '../../../../test/fixtures/held-bytes.ts';
import { StuckTransport } from '../../../../test/fixtures/stuck-transport.ts';
import { ByteQueue } from './byte-queue.ts';
import { SlabWriter } from './slab-writer.ts';
import { SLAB_BYTES } from './slabs.ts';

test('a writer whose transport takes nothing holds about the bytes it was given, however many turns they came in', async () => {
  const transport = new StuckTransport();
  const writer = new SlabWriter(transport);
  const before = heldBytes();
  for (let i = 0; i < 20_000; i++) {
    writer.append(Buffer.of(7));
    await turn();
  }
  expect(heldBytes() - before).toBeLessThan(4 * SLAB_BYTES);
  transport.destroy();
});

test('what a writer kept back leaves in order as soon as its transport takes it', async () => {
  const transport = new StuckTransport();
  const writer = new SlabWriter(transport);
  const sent: number[] = [];
  for (let i = 0; i < 300; i++) {
    writer.append(Buffer.of(i % 256));
    sent.push(i % 256);
    await turn();
  }
  transport.unstick();
  await expect.poll(() => [...Buffer.concat(transport.taken)]).toEqual(sent);
});

test('a queue keeps no more memory alive than its bytes, whatever was thrown away in between', async () => {
  const queue = new ByteQueue();
  const before = heldBytes();
  for (let i = 0; i < 500; i++) {
    queue.push(Buffer.alloc(4096, 'x'));
    // From the pool that small buffers of this thread share.
    for (let thrownAway = 0; thrownAway < 16; thrownAway++) Buffer.from('x'.repeat(4000));
  }
  // What was thrown away is freed a moment after it was collected.
  await expect.poll(() => heldBytes() - before).toBeLessThan(2 * 500 * 4096);
  expect(queue.length).toBe(500 * 4096);
});
