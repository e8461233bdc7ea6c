import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

interface LockFile {
  readonly packages: Readonly<
    Record<
      string,
      { readonly resolved?: string; readonly optionalDependencies?: Record<string, string> }
    >
  >;
}

const text = readFileSync(join(import.meta.dirname, '../../package-lock.json'), 'utf8');
const { packages } = JSON.parse(text) as LockFile;

// A registry that lacks the packages of other platforms makes `npm install` drop them, and then `npm ci` fails everywhere.
test('the lock file has every package that some platform needs', () => {
  const names = new Set(Object.keys(packages).map((path) => path.split('node_modules/').at(-1)));
  const wanted = Object.values(packages).flatMap((one) =>
    Object.keys(one.optionalDependencies ?? {}),
  );
  expect(wanted.filter((name) => !names.has(name))).toEqual([]);
});

test('the lock file names no registry', () => {
  const resolved = Object.values(packages).map((one) => one.resolved ?? '');
  expect(resolved.filter((place) => /^https?:/.test(place))).toEqual([]);
});
