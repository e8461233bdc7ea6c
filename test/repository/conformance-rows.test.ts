import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PAGES } from '../conformance/rows/pages.ts';
import { rowNumbers } from '../conformance/rows/row-page.ts';

const ROOT = join(import.meta.dirname, '..', '..');

const tests = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.test.ts'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && !file.endsWith('conformance-rows.test.ts'))
  .map((file) => readFileSync(join(ROOT, file), 'utf8'));

describe.for(PAGES)('$title: $name', (page) => {
  const rows = Object.values(page.rows).flatMap((section) => Object.keys(section));
  const tagged = new Set(tests.flatMap((text) => rowNumbers(page, text)));
  const excused = Object.values(page.justified).flatMap((reasons) => Object.keys(reasons));

  test('every row has a test, or a reason', () => {
    expect(rows.filter((row) => !tagged.has(row) && !excused.includes(row))).toEqual([]);
  });

  test('a row that has a test has no reason for having none', () => {
    expect(excused.filter((row) => tagged.has(row) || !rows.includes(row))).toEqual([]);
    expect(new Set(excused).size).toBe(excused.length);
  });

  test('tests name rows that there are', () => {
    expect([...tagged].filter((row) => !rows.includes(row))).toEqual([]);
  });
});
