import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../../../../test/fuzz/runs.ts';
import { ByteQueue } from './byte-queue.ts';

function drained(queue: ByteQueue): Buffer {
  const pieces: Buffer[] = [];
  for (let piece = queue.shift(); piece !== undefined; piece = queue.shift()) pieces.push(piece);
  return Buffer.concat(pieces);
}

test('gives back what was put in, in order, whatever the sizes and however it is read in between', () => {
  const operation = fc.oneof(
    fc.uint8Array({ minLength: 0, maxLength: 20_000 }),
    fc.uint8Array({ minLength: 1, maxLength: 3 }),
    fc.constant(null),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const queue = new ByteQueue();
      const [put, got]: [Buffer[], Buffer[]] = [[], []];
      for (const piece of operations) {
        if (piece === null) {
          const next = queue.shift();
          if (next === undefined) continue;
          const half = next.length >> 1;
          if (half > 0) queue.putBack(next.subarray(half));
          got.push(half > 0 ? next.subarray(0, half) : next);
          continue;
        }
        const reused = Buffer.from(piece);
        queue.push(reused);
        reused.fill(0);
        put.push(Buffer.from(piece));
        const length = Buffer.concat(put).length - Buffer.concat(got).length;
        expect(queue.length).toBe(length);
      }
      got.push(drained(queue));
      expect(Buffer.concat(got).equals(Buffer.concat(put))).toBe(true);
      expect(queue.length).toBe(0);
    }),
    runs(300),
  );
});

test('a million single bytes are held in a few blocks', () => {
  const queue = new ByteQueue();
  for (let n = 0; n < 1_000_000; n++) queue.push(Buffer.of(n & 255));
  let blocks = 0;
  while (queue.shift() !== undefined) blocks += 1;
  expect(blocks).toBeLessThan(20);
});
