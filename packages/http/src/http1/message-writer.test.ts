import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { MessageWriter } from './message-writer.ts';

test('a peer that reads slowly holds little more memory than what it has not read', () => {
  const held = new Set<ArrayBufferLike>();
  let proceed: (() => void) | null = null;
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      held.add(chunk.buffer);
      proceed = done;
    },
  });
  const writer = new MessageWriter(stream);
  writer.begin('HTTP/1.1 200 OK\r\n\r\n', { kind: 'length', bytes: 100_000 });
  for (let n = 0; n < 20; n++) writer.data(Buffer.alloc(5_000, n));
  writer.end();
  while (stream.writableLength > 0) proceed!();
  const bytes = [...held].reduce((sum, { byteLength }) => sum + byteLength, 0);
  expect(bytes).toBeLessThan(300_000);
});
