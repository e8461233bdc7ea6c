import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../../../../test/fuzz/runs.ts';
import { FrameReader } from './frame-reader.ts';
import { FRAME, writeFrameHeader } from './frames.ts';

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

function encode({ type, flags, streamId, payload }: Frame): Buffer {
  const header = Buffer.alloc(9);
  writeFrameHeader(header, 0, { length: payload.length, type, flags, streamId });
  return Buffer.concat([header, payload]);
}

/** What a reader makes of pieces; DATA is joined again. */
function read(pieces: readonly Buffer[]): unknown[] {
  const seen: unknown[] = [];
  let data: Buffer[] = [];
  let open: { streamId: number; length: number } | null = null;
  const reader = new FrameReader(
    {
      onFrame: (type, flags, streamId, payload) => {
        seen.push({ type, flags, streamId, payload: payload.toString('hex') });
      },
      onDataStart: (streamId, length) => {
        open = { streamId, length };
        data = [];
      },
      onDataPiece: (piece) => data.push(piece),
      onDataEnd: (isStreamEnd, padding) => {
        seen.push({ ...open, data: Buffer.concat(data).toString('hex'), isStreamEnd, padding });
      },
    },
    { maxFrameBytes: 16_384, expectsPreface: false },
  );
  for (const piece of pieces) reader.push(piece);
  return seen;
}

const SETTINGS: Frame = { type: FRAME.SETTINGS, flags: 0, streamId: 0, payload: Buffer.alloc(0) };
const payload = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const control = fc.record({
  type: fc.integer({ min: 1, max: 9 }),
  flags: fc.nat(255),
  streamId: fc.nat(1000),
  payload,
});
const dataFrame = fc.record({ flags: fc.constantFrom(0, 1), streamId: fc.nat(9), payload });
const padded = fc.tuple(dataFrame, fc.nat(20)).map(([frame, padding]) => ({
  ...frame,
  flags: frame.flags | 8,
  payload: Buffer.concat([Buffer.from([padding]), frame.payload, Buffer.alloc(padding)]),
}));
const frame = fc.oneof(
  control,
  fc.oneof(dataFrame, padded).map((data) => ({ ...data, type: FRAME.DATA as number })),
);

test('frames are the same however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 6 }), fc.array(fc.nat(400)), (frames, cuts) => {
      const bytes = Buffer.concat([SETTINGS, ...frames].map(encode));
      const ends = [...new Set(cuts)].filter((cut) => cut < bytes.length).sort((a, b) => a - b);
      const pieces = [...ends, bytes.length].map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
      const whole = read([bytes]);
      expect(whole).toHaveLength(frames.length + 1);
      expect(read(pieces)).toEqual(whole);
      expect(read([...bytes].map((octet) => Buffer.from([octet])))).toEqual(whole);
    }),
    runs(100),
  );
});

test('DATA is passed on before its frame is complete, without its padding', () => {
  const pieces: string[] = [];
  const reader = new FrameReader(
    {
      onFrame: () => undefined,
      onDataStart: () => undefined,
      onDataPiece: (piece) => pieces.push(piece.toString()),
      onDataEnd: (_isStreamEnd, padding) => pieces.push(`end, ${padding} padding`),
    },
    { maxFrameBytes: 16_384, expectsPreface: false },
  );
  reader.push(encode(SETTINGS));
  const text = Buffer.from('\x02early and late\0\0', 'latin1');
  const bytes = encode({ type: FRAME.DATA, flags: 8, streamId: 1, payload: text });
  reader.push(bytes.subarray(0, 15));
  expect(pieces).toEqual(['early']);
  reader.push(bytes.subarray(15));
  expect(pieces).toEqual(['early', ' and late', 'end, 3 padding']);
});
