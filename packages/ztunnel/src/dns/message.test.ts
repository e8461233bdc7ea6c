import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../../../../test/fuzz/runs.ts';
import { encodeAnswer, parseQuery } from './message.ts';

/** `name` as a question of type A, with an OPT record that asks for `udpBytes`. */
function query(name: string, udpBytes: number | null = null): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]));
  const opt = [0, 0, 41, 0, 0, 0, 0, 0, 0, 0, 0];
  if (udpBytes !== null) opt.splice(3, 2, udpBytes >> 8, udpBytes & 255);
  return Buffer.concat([
    Buffer.of(0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, udpBytes === null ? 0 : 1),
    ...labels,
    Buffer.of(0, 0, 1, 0, 1),
    Buffer.from(udpBytes === null ? [] : opt),
  ]);
}

test('any bytes are a query, refused, or not answered, and nothing is thrown', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const parsed = parseQuery(Buffer.from(bytes));
      expect(parsed.ok ? parsed.query.questionEnd : 0).toBeLessThanOrEqual(bytes.length);
    }),
    runs(2000),
  );
});

test('a query cut off or changed anywhere never throws', () => {
  const whole = query('server.shop.svc.cluster.local', 1232);
  fc.assert(
    fc.property(fc.nat(whole.length), fc.nat(whole.length - 1), fc.nat(255), (end, at, byte) => {
      const bytes = Buffer.from(whole.subarray(0, end));
      if (at < bytes.length) bytes[at] = byte;
      expect(parseQuery(bytes)).toHaveProperty('ok');
    }),
    runs(2000),
  );
});

test.for([
  { what: 'an answer', flags: 0x8000, code: 1 },
  { what: 'a NOTIFY', flags: 0x2000, code: 4 },
])('$what is refused with code $code', ({ flags, code }) => {
  const bytes = query('a.b');
  bytes.writeUInt16BE(flags, 2);
  const parsed = parseQuery(bytes);
  expect(parsed.ok).toBe(false);
  if (!parsed.ok) expect(parsed.refusal!.readUInt16BE(2) & 15).toBe(code);
});

test.for([
  { udpBytes: 1232, name: 'server.svc', fits: 74 },
  { udpBytes: null, name: 'server.svc', fits: 30 },
])(
  'of 256 addresses $fits fit into what the client takes, and it hears that there are more (C218)',
  ({ udpBytes, name, fits }) => {
    const parsed = parseQuery(query(name, udpBytes));
    if (!parsed.ok) throw new Error('not a query');
    const addresses = Array.from({ length: 256 }, (_, i) => `10.0.0.${i}`);
    const answer = encodeAnswer(parsed.query, { cname: null, addresses }, parsed.query.maxUdpBytes);
    expect(answer.readUInt16BE(6)).toBe(fits);
    expect(answer.readUInt16BE(2) & 0x0200).toBe(0x0200);
    expect(answer.length).toBeLessThanOrEqual(udpBytes ?? 512);
    const whole = encodeAnswer(parsed.query, { cname: null, addresses }, 65_535);
    expect(whole.readUInt16BE(6)).toBe(256);
    expect(whole.readUInt16BE(2) & 0x0200).toBe(0);
  },
);
