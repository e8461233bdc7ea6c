import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runs } from '../../../../test/fuzz/runs.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { HpackEncoder } from './hpack-encoder.ts';

const LIST_LIMIT = 65_536;

function decodeAll(decoder: HpackDecoder, hex: string): string[] {
  return decoder.decode(Buffer.from(hex.replaceAll(' ', ''), 'hex')).headers;
}

const REQUESTS = [
  [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'],
  [
    ...[':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'],
    ...['cache-control', 'no-cache'],
  ],
  [
    ...[':method', 'GET', ':scheme', 'https', ':path', '/index.html'],
    ...[':authority', 'www.example.com', 'custom-key', 'custom-value'],
  ],
];

const RESPONSES = [
  [
    ...[':status', '302', 'cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
    ...['location', 'https://www.example.com'],
  ],
  [
    ...[':status', '307', 'cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
    ...['location', 'https://www.example.com'],
  ],
  [
    ...[':status', '200', 'cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
    ...['location', 'https://www.example.com', 'content-encoding', 'gzip'],
    ...['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
  ],
];

describe('header blocks of RFC 7541 appendix C decode to its lists, one connection each', () => {
  test.for([
    {
      section: 'C.2.1',
      blocks: ['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572'],
      lists: [['custom-key', 'custom-header']],
    },
    {
      section: 'C.2.2',
      blocks: ['040c 2f73 616d 706c 652f 7061 7468'],
      lists: [[':path', '/sample/path']],
    },
    {
      section: 'C.2.3',
      blocks: ['1008 7061 7373 776f 7264 0673 6563 7265 74'],
      lists: [['password', 'secret']],
    },
    { section: 'C.2.4', blocks: ['82'], lists: [[':method', 'GET']] },
    {
      section: 'C.3',
      blocks: [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
      lists: REQUESTS,
    },
    {
      section: 'C.4',
      blocks: [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
      lists: REQUESTS,
    },
  ])('$section', ({ blocks, lists }) => {
    const decoder = new HpackDecoder(LIST_LIMIT);
    expect(blocks.map((block) => decodeAll(decoder, block))).toEqual(lists);
  });

  test('C.6, with evictions from a table of 256 bytes', () => {
    const decoder = new HpackDecoder(LIST_LIMIT);
    // The appendix assumes the smaller table; on the wire it takes a size update (3fe101).
    const blocks = [
      '3fe101 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
      '4883 640e ffc1 c0bf',
      '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
    ];
    expect(blocks.map((block) => decodeAll(decoder, block))).toEqual(RESPONSES);
  });
});

describe('a block that breaks the rules is refused', () => {
  test.for([
    { fault: 'index 0', block: '80' },
    { fault: 'an index beyond both tables', block: 'be' },
    { fault: 'a table larger than was allowed', block: '3fe21f' },
    { fault: 'a size update after a field', block: '8220' },
    { fault: 'a string longer than the block', block: '00056162' },
    { fault: 'an integer that never ends', block: '7fffffffffffffffff7f' },
    { fault: 'Huffman padding of zeros', block: '0081188161' },
    { fault: 'Huffman padding of a whole octet', block: '00821fff8161' },
    { fault: 'end-of-string inside a Huffman string', block: '0084ffffffff8161' },
  ])('$fault', ({ block }) => {
    expect(() => decodeAll(new HpackDecoder(LIST_LIMIT), block)).toThrow(
      expect.objectContaining({ reason: 'COMPRESSION_ERROR' }),
    );
  });

  test('a list beyond its limit is cut short, and the table stays in step', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder(200);
    const large = ['a', 'x'.repeat(120), 'b', 'y'.repeat(120)];
    expect(decoder.decode(Buffer.from(encoder.encode(large)))).toEqual({
      headers: ['a', 'x'.repeat(120)],
      isTooLarge: true,
      bytes: 306,
    });
    const small = ['b', 'y'.repeat(120)];
    expect(decoder.decode(encoder.encode(small)).headers).toEqual(small);
  });
});

const NAMES = [':path', 'baggage', 'cookie', 'te', 'traceparent', 'x-a', 'x-b', 'x-c'];
const arbitraryName = fc.constantFrom(...NAMES);
const arbitraryValue = fc.oneof(
  fc.constantFrom('', 'one', 'two', 'a value that comes again and again'),
  fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)) }),
  fc.nat(6000).map((length) => 'z'.repeat(length)),
);

test('any sequence of lists survives encoding, whatever table sizes the peer sets in between', () => {
  const step = fc.record({
    list: fc.array(fc.tuple(arbitraryName, arbitraryValue), { maxLength: 12 }),
    tableSizes: fc.array(fc.constantFrom(0, 40, 100, 300, 4096, 100_000), { maxLength: 2 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      const encoder = new HpackEncoder();
      const decoder = new HpackDecoder(1_000_000);
      for (const { list, tableSizes } of steps) {
        for (const size of tableSizes) encoder.setMaxTableSize(size);
        expect(decoder.decode(encoder.encode(list.flat())).headers).toEqual(list.flat());
      }
    }),
    runs(100),
  );
});

test('a field that repeats costs one octet, and a secret is never remembered', () => {
  const encoder = new HpackEncoder();
  const list = ['baggage', 'k8s.namespace.name=shop', 'authorization', 'Bearer x'];
  const first = encoder.encode(list).length;
  const second = encoder.encode(list);
  expect(first - second.length).toBe('baggage'.length + 'k8s.namespace.name=shop'.length + 2);
  expect(second.toString('latin1')).toContain('Bearer x');
});

test('a field whose value changes costs its name only once', () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(65_536);
  const lengths = ['00-1', '00-2', '00-3'].map((value) => {
    const block = encoder.encode(['traceparent', value]);
    expect(decoder.decode(block).headers).toEqual(['traceparent', value]);
    return block.length;
  });
  const literal = 1 + '00-1'.length;
  expect(lengths).toEqual([2 + 'traceparent'.length + literal, 2 + literal, 2 + literal]);
});
