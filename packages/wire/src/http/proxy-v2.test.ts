import { expect, test } from 'vitest';
import { encodeProxyV2 } from './proxy-v2.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

test('an IPv4 connection names both ends and the identity', () => {
  const identity = 'spiffe://cluster.local/ns/default/sa/client';
  const header = encodeProxyV2({
    source: { ip: '10.0.0.2', port: 41_000 },
    destination: { ip: '10.96.0.1', port: 80 },
    identity,
  });
  const length = (12 + 3 + identity.length).toString(16).padStart(4, '0');
  const idLength = identity.length.toString(16).padStart(4, '0');
  expect(hex(header)).toBe(
    `${SIGNATURE}2111${length}0a0000020a600001a0280050d0${idLength}${Buffer.from(identity).toString('hex')}`,
  );
});

test('a caller without an identity leaves the field out', () => {
  const ends = { source: { ip: '10.0.0.2', port: 1 }, destination: { ip: '10.0.0.3', port: 2 } };
  expect(hex(encodeProxyV2({ ...ends, identity: null }))).toBe(
    `${SIGNATURE}2111000c0a0000020a00000300010002`,
  );
});

test('addresses of both families are given as IPv6', () => {
  const header = encodeProxyV2({
    source: { ip: '10.0.0.2', port: 1 },
    destination: { ip: '2001:db8::1', port: 2 },
    identity: null,
  });
  expect(hex(header)).toBe(
    `${SIGNATURE}2121002400000000000000000000ffff0a00000220010db8000000000000000000000001${'00010002'}`,
  );
});
