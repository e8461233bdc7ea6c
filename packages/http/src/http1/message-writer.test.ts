import { PassThrough, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { MessageWriter } from './message-writer.ts';
import type { BodyFraming } from './parse.ts';

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
  // Whole slabs, of which others may have used the first.
  expect(bytes).toBeLessThan(400_000);
});

test('what is written in one turn of the event loop is one write', async () => {
  const writes: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      writes.push(String(chunk));
      done();
    },
  });
  const writer = new MessageWriter(stream);
  writer.whole('100 ');
  for (const head of ['ONE ', 'TWO ']) {
    writer.begin(head, { kind: 'length', bytes: 1 });
    writer.data(Buffer.from('1'));
    writer.end();
  }
  expect(writes).toEqual([]);
  await turn();
  expect(writes).toEqual(['100 ONE 1TWO 1']);
});

describe('a body', () => {
  const begun = (framing: BodyFraming) => {
    const stream = new PassThrough().on('error', () => undefined);
    const writer = new MessageWriter(stream);
    writer.begin('HEAD ', framing);
    return { stream, writer };
  };
  const HELLO = Buffer.from('hello');

  test('in chunks does not end with an empty piece', async () => {
    const { stream, writer } = begun({ kind: 'chunked' });
    for (const piece of [Buffer.alloc(0), HELLO, Buffer.alloc(0), HELLO]) writer.data(piece);
    writer.end();
    await turn();
    expect(String(stream.read())).toBe('HEAD 5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n');
  });

  test.for([
    ['shorter than its head promised', { kind: 'length', bytes: 6 }],
    ['longer than its head promised', { kind: 'length', bytes: 4 }],
    ['where none was promised', { kind: 'none' }],
  ] as const)(
    '%s destroys the stream, so that nothing can be taken for its rest',
    async ([, framing]) => {
      const { stream, writer } = begun(framing);
      writer.data(HELLO);
      writer.end();
      expect(stream.destroyed).toBe(true);
      await turn();
      expect(stream.read()).toBeNull();
    },
  );

  test.for([
    ['as long as its head promised', { kind: 'length', bytes: 10 }],
    ['that lasts until the end of the connection', { kind: 'until-close' }],
  ] as const)('%s leaves whole', async ([, framing]) => {
    const { stream, writer } = begun(framing);
    writer.data(HELLO);
    writer.data(HELLO);
    writer.end();
    await turn();
    expect(stream.destroyed).toBe(false);
    expect(String(stream.read())).toBe('HEAD hellohello');
  });
});
