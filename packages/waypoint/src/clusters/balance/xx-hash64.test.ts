import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hexOf, remainder } from './hash64.ts';
import { xxHash64 } from './xx-hash64.ts';

/** From the tests of xxhash for Go (github.com/cespare/xxhash) and of Python's xxhash. */
test.for([
  ['', 0, 'ef46db3751d8e999'],
  ['a', 0, 'd24ec4f1a98c6e5b'],
  ['as', 0, '1c330fb2d66be179'],
  ['asd', 0, '631c37ce72a97393'],
  ['asdf', 0, '415872f599cea71e'],
  ['Call me Ishmael. Some years ago--never mind how long precisely-', 0, '02a2e85470d6fd96'],
  ['Nobody inspects the spammish repetition', 0, 'fbcea83c8a378bf1'],
  ['xxhash', 20_141_025, 'b559b98d844e0635'],
] as const)('the hash of %j with seed %i is the published one', ([text, seed, hash]) => {
  expect(hexOf(xxHash64(text, { high: 0, low: seed }))).toBe(hash);
});

const MASK = (1n << 64n) - 1n;

describe('a hash', () => {
  test('depends on every byte of a text of any length', () => {
    const byte = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(fc.array(byte, { minLength: 1, maxLength: 100 }), fc.nat(), (bytes, at) => {
        const changed = bytes.with(at % bytes.length, bytes[at % bytes.length]! ^ 1);
        const hashOf = (all: readonly number[]) => hexOf(xxHash64(String.fromCharCode(...all)));
        expect(hashOf(changed)).not.toBe(hashOf(bytes));
        expect(hashOf(bytes)).toBe(hashOf(bytes));
      }),
      { seed: 9 },
    );
  });

  test('has the remainder of the number that it is', () => {
    const half = fc.integer({ min: 0, max: 0xffff_ffff });
    fc.assert(
      fc.property(half, half, fc.integer({ min: 1, max: 5_000_011 }), (high, low, by) => {
        const whole = ((BigInt(high) << 32n) | BigInt(low)) & MASK;
        expect(remainder({ high, low }, by)).toBe(Number(whole % BigInt(by)));
      }),
      { seed: 9 },
    );
  });
});
