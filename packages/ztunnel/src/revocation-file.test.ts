import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RevocationList } from '@aquifer/hbone';
import { createLogger } from '@aquifer/runtime';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { ChainAuthority } from '../../../test/fixtures/certificate-chains.ts';
import { eventually } from '../../../test/fixtures/eventually.ts';
import { RevocationFile } from './revocation-file.ts';

let root: ChainAuthority;
beforeAll(() => {
  root = ChainAuthority.root();
});
afterAll(() => {
  root[Symbol.dispose]();
});

/** A file that is followed, what it says, and what is logged about it. */
function follow(first: Buffer | null, folder = 'lists') {
  const parent = mkdtempSync(join(tmpdir(), 'revocations-'));
  const path = join(parent, folder, 'crl.pem');
  const seen: string[][] = [];
  const lines: string[] = [];
  const write = (content: Buffer | string): void => {
    mkdirSync(join(parent, folder), { recursive: true });
    writeFileSync(`${path}.new`, content);
    renameSync(`${path}.new`, path);
  };
  if (first !== null) write(first);
  const file = new RevocationFile(path, {
    log: createLogger('tls', {
      ...{ format: 'plain', levels: 'info' },
      write: (line) => lines.push(line),
    }),
    onLists: (lists: readonly RevocationList[]) => {
      seen.push(lists.flatMap(({ serials }) => [...serials]));
    },
  });
  onTestFinished(() => {
    file.stop();
    rmSync(parent, { recursive: true });
  });
  return { write, seen, lines };
}

test('lists are in force at once, and again when the file changes (C164)', async () => {
  const { write, seen, lines } = follow(root.list(['01']));
  expect(seen).toEqual([['01']]);
  write(root.list(['01', '02']));
  await eventually(() => seen.length === 2);
  expect(seen[1]).toEqual(['01', '02']);
  write('');
  await eventually(() => seen.length === 3);
  expect(seen[2]).toEqual([]);
  expect(lines[0]).toContain('revocation lists are in force');
});

test('a file that is not there, nor its folder, revokes nothing until it comes (C164)', async () => {
  const { write, seen, lines } = follow(null);
  expect(seen).toEqual([]);
  expect(lines[0]).toContain('there are no revocation lists');
  write(root.list(['01']));
  await eventually(() => seen.length === 1, { timeoutMs: 15_000 });
});

test('what is no list at the start is said, and revokes nothing until it is replaced (C164)', async () => {
  const { write, seen, lines } = follow(Buffer.from('no list'));
  expect(seen).toEqual([]);
  expect(lines[0]).toMatch(/\twarn\t.*nothing is revoked/);
  write(root.list(['01']));
  await eventually(() => seen.length === 1);
});

test('what is no list later leaves the lists before in force (C164)', async () => {
  const { write, seen, lines } = follow(root.list(['01']));
  write('no list');
  await eventually(() => lines.length === 2);
  expect(lines[1]).toMatch(/\twarn\t.*the lists before stay in force/);
  expect(seen).toEqual([['01']]);
});
