import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lookUpAddress } from './lookup.ts';
import { encodeAnswer, encodeFailure, parseQuery, RCODE } from './message.ts';

/** A nameserver that knows one name, behind another one. */
async function knowing(addresses: readonly string[], message: Buffer): Promise<Buffer> {
  const parsed = parseQuery(message);
  if (!parsed.ok) throw new Error('no query');
  const { query } = parsed;
  const isV6 = query.type === 'AAAA';
  if (query.name !== 'web.shop') return encodeFailure(query, RCODE.serverFailure);
  const fit = addresses.filter((ip) => ip.includes(':') === isV6);
  return encodeAnswer(query, { cname: 'web.shop.svc', addresses: fit }, 4096);
}

test.for([
  ['web.shop', 4, '10.0.0.1'],
  ['web.shop.', 4, '10.0.0.1'],
  ['web.shop', 6, 'fd00::1'],
  ['other.shop', 4, null],
  ['', 4, null],
  ['a..b', 4, null],
  ['x'.repeat(64), 4, null],
  [Array(60).fill('abcd').join('.'), 4, null],
] as const)('the first address of %s in family %i is %s', async ([name, family, address]) => {
  const ask = (message: Buffer) => knowing(['10.0.0.1', '10.0.0.2', 'fd00::1'], message);
  expect(await lookUpAddress(ask, name, family)).toBe(address);
});

test('a name without addresses of the family has none', async () => {
  expect(await lookUpAddress((message) => knowing(['10.0.0.1'], message), 'web.shop', 6)).toBe(
    null,
  );
});

test('whatever an answer is, it has an address or none', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
      const ask = () => Promise.resolve(Buffer.from(bytes));
      const address = await lookUpAddress(ask, 'web.shop', 4);
      expect(address === null || /^\d+(\.\d+){3}$/.test(address)).toBe(true);
    }),
  );
});
