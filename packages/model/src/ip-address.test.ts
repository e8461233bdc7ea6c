import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalIpAddress, cidrContains, formatIpAddress, parseIpAddress } from './ip-address.ts';

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
