import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { SlabWriter } from './slab-writer.ts';
import { SLAB_BYTES } from './slabs.ts';

/** Keeps what is written, and takes it only when told to. */
class SlowTransport extends Duplex {
  readonly writes: Buffer[] = [];
  #done: (() => void)[] = [];

  override _read(): void {
    // Nothing is read.
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes.push(chunk);
    this.#done.push(done);
  }

  /** What arrived, seen only now: a slab that was given back too early shows here. */
  receive(): Buffer {
    const bytes = Buffer.concat(this.writes.splice(0));
    for (const done of this.#done.splice(0)) done();
    return bytes;
  }
}

test('what is written in one turn leaves in one write, and the caller may reuse its buffer at once', async () => {
  const transport = new SlowTransport();
  const writer = new SlabWriter(transport);
  const buffer = Buffer.alloc(3);
  for (const word of ['one', 'two', 'six']) {
    buffer.write(word);
    writer.append(buffer);
  }
  expect(transport.writes).toEqual([]);
  await turn();
  expect(transport.writes.map(String)).toEqual(['onetwosix']);
});

test('more than a slab leaves at once, in order, and no slab is filled again before it has left', async () => {
  const transport = new SlowTransport();
  const writer = new SlabWriter(transport);
  const arrived: Buffer[] = [];
  const sent: Buffer[] = [];
  for (let n = 0; n < 40; n++) {
    const bytes = Buffer.alloc(SLAB_BYTES / 3 + n, n + 1);
    sent.push(Buffer.from(bytes));
    writer.append(bytes);
    if (n % 10 === 9) {
      await turn();
      arrived.push(transport.receive());
    }
  }
  await expect
    .poll(() => {
      arrived.push(transport.receive());
      return Buffer.concat(arrived).length;
    })
    .toBe(Buffer.concat(sent).length);
  expect(Buffer.concat(arrived).equals(Buffer.concat(sent))).toBe(true);
});

test('a transport that takes nothing holds little more than what was written', async () => {
  const transport = new SlowTransport();
  const writer = new SlabWriter(transport);
  for (let n = 0; n < 50; n++) {
    writer.append(Buffer.from('a little'));
    await turn();
  }
  const held = new Set<ArrayBufferLike>();
  while (held.size < 50 && transport.writableLength > 0) {
    for (const { buffer } of transport.writes) held.add(buffer);
    transport.receive();
    await turn();
  }
  const bytes = [...held].reduce((sum, { byteLength }) => sum + byteLength, 0);
  expect(bytes).toBeLessThan(3 * SLAB_BYTES);
});

test('a reserved place is one piece even where a slab ends', async () => {
  const transport = new SlowTransport();
  const writer = new SlabWriter(transport);
  writer.append(Buffer.alloc(SLAB_BYTES - 4, 'a'));
  const at = writer.reserve(9);
  writer.slab!.write('reserved!', at);
  await turn();
  expect(transport.receive().length).toBe(SLAB_BYTES - 4);
  await expect.poll(() => transport.writes.map(String)).toEqual(['reserved!']);
});

test('what is gathered for a transport that has ended is dropped', async () => {
  const transport = new SlowTransport();
  const writer = new SlabWriter(transport);
  writer.append(Buffer.from('late'));
  transport.destroy();
  await turn();
  expect(writer.gathered).toBe(0);
  expect(transport.writes).toEqual([]);
});
