import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runs } from '../../../test/fuzz/runs.ts';
import {
  canonicalIpAddress,
  cidrContains,
  formatIpAddress,
  parseCidr,
  parseIpAddress,
} from './ip-address.ts';

test.for([
  ['10.0.0.1', '10.0.0.1'],
  ['::1', '::1'],
  ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['fe80:0:0:0:0:0:0:0', 'fe80::'],
  ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
] as const)('%s reads as %s', ([text, canonical]) => {
  expect(canonicalIpAddress(text)).toBe(canonical);
});

test.for([
  '',
  '10.0.0',
  '10.0.0.256',
  '10.0.0.01',
  '1::2::3',
  ':1',
  '12345::',
  'fe80::1%eth0',
  '1.2.3.4::',
])('%s is not an address', (text) => {
  expect(parseIpAddress(text)).toBeNull();
});

test('bytes survive the way through text', () => {
  const lengths = fc.constantFrom(4, 16);
  const addresses = lengths.chain((length) =>
    fc.uint8Array({ minLength: length, maxLength: length }),
  );
  fc.assert(
    fc.property(addresses, (bytes) => {
      expect(parseIpAddress(formatIpAddress(bytes)!)).toEqual(bytes);
    }),
    runs(100),
  );
});

describe('a range', () => {
  test.for([
    ['10.0.0.0', 8, '10.255.1.2', true],
    ['10.0.0.0', 8, '11.0.0.1', false],
    ['10.1.2.0', 23, '10.1.3.9', true],
    ['10.1.2.0', 23, '10.1.4.9', false],
    ['0.0.0.0', 0, '8.8.8.8', true],
    ['0.0.0.0', 0, '::1', false],
    ['fd00::', 8, 'fd12::1', true],
    ['10.0.0.1', 32, '10.0.0.1', true],
  ] as const)('%s/%i contains %s: %s', ([address, prefixLength, candidate, expected]) => {
    expect(cidrContains({ address, prefixLength }, candidate)).toBe(expected);
  });
});

test('a range contains exactly the addresses that share its first bits', () => {
  const bits = (bytes: Uint8Array) =>
    [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const address = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  );
  fc.assert(
    fc.property(address, address, fc.nat(128), fc.nat(128), (range, other, length, shared) => {
      const prefixLength = Math.min(length, range.length * 8);
      // Often the same up to some bit, so that both answers occur.
      const isNear = other.length === range.length;
      const candidate = isNear ? bits(range).slice(0, shared) + bits(other).slice(shared) : '';
      const bytes = isNear
        ? Uint8Array.from(candidate.match(/.{8}/g)!, (octet) => Number.parseInt(octet, 2))
        : other;
      const expected =
        isNear && bits(range).slice(0, prefixLength) === candidate.slice(0, prefixLength);
      const cidr = { address: formatIpAddress(range)!, prefixLength };
      expect(cidrContains(cidr, formatIpAddress(bytes)!)).toBe(expected);
    }),
    runs(100),
  );
});

test.for([
  ['10.0.0.0/8', { address: '10.0.0.0', prefixLength: 8 }],
  ['10.0.0.1/8', { address: '10.0.0.1', prefixLength: 8 }],
  ['10.0.0.1', { address: '10.0.0.1', prefixLength: 32 }],
  ['2001:DB8::/0', { address: '2001:db8::', prefixLength: 0 }],
  ['10.0.0.0/33', null],
  ['10.0.0.0/', null],
  ['10.0.0.0/8/8', null],
  ['somewhere/8', null],
] as const)('%s is the range %j', ([text, range]) => {
  expect(parseCidr(text)).toEqual(range);
});
