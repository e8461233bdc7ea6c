import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../../../test/fuzz/runs.ts';
import { type BodyWire, ReceivingHalf, SendingHalf } from './half-stream.ts';
import type { HeaderList } from './headers.ts';
import { connectionLost, HttpError } from './http-error.ts';

const MIB = 1024 * 1024;
const RESET = new HttpError('gone', { reason: 'CANCEL', kind: 'reset', scope: 'exchange' });

function receiver() {
  let taken = 0;
  const half = new ReceivingHalf({
    taken: (bytes) => {
      taken += bytes;
    },
    ending: () => undefined,
    ended: () => undefined,
  });
  const told: string[] = [];
  const claim = (onData: () => void = () => undefined): void =>
    half.claim({
      onData: (chunk) => {
        told.push(chunk.toString());
        onData();
      },
      onTrailers: (trailers) => void told.push(`trailers ${trailers.join('=')}`),
      onEnd: () => void told.push('end'),
      onDrain: () => void told.push('room'),
      onClose: (error) => void told.push(error === null ? 'close' : `close ${error.kind}`),
    });
  return { half, told, claim, taken: () => taken };
}

test('whenever a reader comes, pauses and goes on: it is told everything, once, in the order in which it came', () => {
  const step = fc.constantFrom('data', 'data', 'pause', 'resume', 'claim');
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, pausesWithin) => {
      const { half, told, claim, taken } = receiver();
      const onData = (): void => {
        if (pausesWithin) half.pause();
      };
      let sent = 0;
      for (const deed of steps) {
        if (deed === 'data') half.data(Buffer.from(String(sent++ % 10)));
        else if (deed === 'claim') claim(onData);
        else half[deed]();
      }
      half.end(['a', 'b']);
      half.close(null);
      claim(onData);
      while (!told.includes('close')) half.resume();
      const body = told.slice(0, -3).join('');
      expect(body).toBe(Array.from({ length: sent }, (_, n) => n % 10).join(''));
      expect(told.slice(-3)).toEqual(['trailers a=b', 'end', 'close']);
      expect(taken()).toBe(sent);
    }),
    runs(100),
  );
});

test('a reset is told at once and drops what was not read, the end of a connection waits behind it', () => {
  for (const [end, told] of [
    ['cut', ['close reset']],
    ['close', ['kept', 'close reset']],
  ] as const) {
    const each = receiver();
    each.claim();
    each.half.pause();
    each.half.data(Buffer.from('kept'));
    each.half[end](RESET);
    each.half.resume();
    expect([each.told, each.taken()]).toEqual([told, 4]);
  }
});

test('who has not received yet hears of a reset, and again when it receives', () => {
  const { half, told, claim } = receiver();
  let heard = 0;
  half.whenReset(() => {
    heard += 1;
  });
  half.data(Buffer.from('never read'));
  half.cut(RESET);
  claim();
  expect([heard, told]).toEqual([1, ['close reset']]);
});

test('who receives after there was room again hears of it, once', () => {
  const { half, told, claim } = receiver();
  half.drain();
  half.drain();
  half.data(Buffer.from('a'));
  claim();
  expect(told).toEqual(['room', 'a']);
  const gone = receiver();
  gone.half.drain();
  gone.half.cut(RESET);
  gone.claim();
  expect(gone.told).toEqual(['close reset']);
});

test('what is kept of lost connections is bounded: beyond it nothing is kept, until some was read', () => {
  const lost = connectionLost('lost');
  const halves = Array.from({ length: 5 }, () => {
    const each = receiver();
    each.half.data(Buffer.alloc(16 * MIB));
    each.half.end(null);
    each.half.close(lost);
    return each;
  });
  for (const { claim } of halves) claim();
  const wasKept = halves.map(({ told }) => told.includes('end'));
  expect(wasKept).toEqual([true, true, true, true, false]);
  const next = receiver();
  next.half.data(Buffer.alloc(16 * MIB));
  next.half.end(null);
  next.half.close(lost);
  next.claim();
  expect(next.told.includes('end')).toBe(true);
});

/** A wire that lets pass so many bytes. */
class Wire implements BodyWire {
  readonly sent: string[] = [];
  window = 0;
  readonly hasRoom = true;

  send(chunk: Buffer): Buffer | null {
    const bytes = Math.min(this.window, chunk.length);
    this.window -= bytes;
    if (bytes > 0) this.sent.push(chunk.toString('latin1', 0, bytes));
    return bytes === chunk.length ? null : chunk.subarray(bytes);
  }

  sendEnd(trailers: HeaderList | null): void {
    this.sent.push(trailers === null ? 'end' : `trailers ${trailers.join('=')}`);
  }

  waitForRoom(): void {
    // The test says when there is room.
  }
}

test('trailers and the end leave behind all that was written, however little room there is at a time', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 10 }),
      fc.integer({ min: 1, max: 7 }),
      fc.constantFrom<HeaderList | null>(null, ['a', 'b']),
      (sizes, room, trailers) => {
        const wire = new Wire();
        const half = new SendingHalf(wire);
        half.headSent(false);
        const written = sizes.map((size, n) => String(n).repeat(size));
        for (const text of written) half.write(Buffer.from(text));
        half.end(trailers);
        expect(half.write(Buffer.from('too late'))).toBe(false);
        for (let n = 0; n < 300; n++) {
          wire.window = room;
          half.onRoom();
        }
        expect(wire.sent.at(-1)).toBe(trailers === null ? 'end' : 'trailers a=b');
        expect(wire.sent.slice(0, -1).join('')).toBe(written.join(''));
        expect(half.kind).toBe('ended');
      },
    ),
    runs(100),
  );
});
