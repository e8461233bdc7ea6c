import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { JUSTIFIED, NOT_YET, ROWS } from '../conformance/ztunnel/rows.ts';

const ROOT = join(import.meta.dirname, '..', '..');

const rows = Object.values(ROWS).flatMap((section) => Object.keys(section));
const tests = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.test.ts'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && !file.endsWith('conformance-rows.test.ts'));
const tagged = new Set(
  tests.flatMap((file) => readFileSync(join(ROOT, file), 'utf8').match(/\bC\d{3}\b/g) ?? []),
);

test('every row of what ztunnel conforms to has a test, or a reason, or is known to be missing', () => {
  const excused = new Set([...Object.keys(JUSTIFIED), ...NOT_YET]);
  expect(rows.filter((row) => !tagged.has(row) && !excused.has(row))).toEqual([]);
});

test('a row that has a test is neither excused nor said to be missing', () => {
  const excused = [...Object.keys(JUSTIFIED), ...NOT_YET];
  expect(excused.filter((row) => tagged.has(row) || !rows.includes(row))).toEqual([]);
  expect(new Set(excused).size).toBe(excused.length);
});

test('tests name rows that there are', () => {
  expect([...tagged].filter((row) => !rows.includes(row))).toEqual([]);
});
