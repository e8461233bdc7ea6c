import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChainAuthority } from '../../../../test/fixtures/certificate-chains.ts';
import { isSignedBy, nameOf, parseRevocationLists } from './revocation-list.ts';

let root: ChainAuthority;
beforeAll(() => {
  root = ChainAuthority.root();
});
afterAll(() => {
  root[Symbol.dispose]();
});

test('a file with one list, as PEM or as DER, says what is revoked (C164)', () => {
  const certificate = new X509Certificate(root.issue('spiffe://a/ns/b/sa/c', 0x0102).chain);
  const name = nameOf(certificate)!;
  for (const form of ['PEM', 'DER'] as const) {
    const [list, ...rest] = parseRevocationLists(root.list(['0102', 'FF00112233'], form));
    expect(rest).toEqual([]);
    expect(list).toMatchObject({ issuer: name.issuer, digest: 'sha256' });
    expect(list!.serials).toEqual(new Set([name.serial, '00ff00112233']));
    const { publicKey } = new X509Certificate(root.certificatePem);
    expect(isSignedBy(list!, publicKey)).toBe(true);
    expect(isSignedBy(list!, certificate.publicKey)).toBe(false);
  }
});

test('a file of PEM may have many lists, and other blocks beside them (C164)', () => {
  const below = root.authority('below');
  const file = Buffer.concat([Buffer.from(root.certificatePem), root.list([]), below.list(['0A'])]);
  expect(parseRevocationLists(file).map(({ serials }) => [...serials])).toEqual([[], ['0a']]);
});

test('an empty file, and one without lists, revokes nothing (C164)', () => {
  expect(parseRevocationLists(Buffer.alloc(0))).toEqual([]);
  expect(parseRevocationLists(Buffer.from(root.certificatePem))).toEqual([]);
});

test('a list that is not whole is refused, wherever it was cut (C164)', () => {
  const pem = root.list(['01', '02']);
  const der = root.list(['01', '02'], 'DER');
  for (const file of [pem.subarray(0, -10), pem.subarray(0, 60), Buffer.from('not a list')]) {
    expect(() => parseRevocationLists(file)).toThrow(Error);
  }
  for (let length = 1; length < der.length; length += 1) {
    expect(() => parseRevocationLists(der.subarray(0, length))).toThrow(Error);
  }
});

test('whatever a file has in place of a list, reading it ends with an error or lists', () => {
  const der = root.list(['01', '02'], 'DER');
  fc.assert(
    fc.property(fc.nat(der.length - 1), fc.nat(255), (at, byte) => {
      const changed = Buffer.from(der);
      changed[at] = byte;
      try {
        expect(parseRevocationLists(changed)).toHaveLength(1);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
  );
});
