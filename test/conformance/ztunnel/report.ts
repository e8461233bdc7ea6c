/**
 * `npm run conformance`: runs every test that has a row of `rows.ts` in its name, and writes
 * `docs/conformance/ztunnel.md`: what each row is shown by, and whether it was.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JUSTIFIED, ROWS } from './rows.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const PAGE = join(ROOT, 'docs', 'conformance', 'ztunnel.md');
const ROW = /\bC\d{3}\b/g;

interface Shown {
  readonly title: string;
  readonly file: string;
  readonly status: string;
}

interface VitestResult {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly {
      readonly title: string;
      readonly fullName: string;
      readonly status: string;
    }[];
  }[];
}

/** Files that name a row: the others need not run. */
function filesWithRows(): string[] {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.test.ts'], {
    cwd: ROOT,
  });
  return listed
    .toString()
    .split('\n')
    .filter((file) => file !== '' && readFileSync(join(ROOT, file), 'utf8').search(ROW) >= 0);
}

function run(files: readonly string[]): VitestResult {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  const output = join(folder, 'results.json');
  console.log(`running ${files.length} files with tests of rows …`);
  spawnSync(
    join(ROOT, 'node_modules', '.bin', 'vitest'),
    ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${output}`, ...files],
    { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const results = JSON.parse(readFileSync(output, 'utf8')) as VitestResult;
  rmSync(folder, { recursive: true });
  return results;
}

function shownBy({ testResults }: VitestResult): Map<string, Shown[]> {
  const shown = new Map<string, Shown[]>();
  for (const { name, assertionResults } of testResults) {
    for (const { title, fullName, status } of assertionResults) {
      for (const row of new Set(fullName.match(ROW))) {
        const file = name.slice(ROOT.length + 1);
        shown.set(row, [...(shown.get(row) ?? []), { title, file, status }]);
      }
    }
  }
  return shown;
}

function resultOf(row: string, tests: readonly Shown[]): string {
  if (tests.length === 0) return JUSTIFIED[row] === undefined ? '**not shown**' : 'left out';
  if (tests.some(({ status }) => status === 'failed')) return '**fails**';
  return tests.some(({ status }) => status === 'passed') ? 'yes' : 'not run here';
}

function page(shown: ReadonlyMap<string, readonly Shown[]>): string {
  const lines = [
    '# What ztunnel conforms to',
    '',
    '<!-- Written by `npm run conformance`: do not edit. -->',
    '',
    "Rows that a node proxy must satisfy to stand in for Istio's, and the tests that show them.",
    '',
  ];
  let passed = 0;
  let all = 0;
  const sections: string[] = [];
  for (const [title, rows] of Object.entries(ROWS)) {
    sections.push(
      `## ${title}`,
      '',
      '| row | what | result | shown by |',
      '| --- | --- | --- | --- |',
    );
    for (const [row, what] of Object.entries(rows)) {
      const tests = shown.get(row) ?? [];
      const result = resultOf(row, tests);
      all += 1;
      if (result === 'yes') passed += 1;
      const files = [...new Set(tests.map(({ file }) => file))].map((file) => `\`${file}\``);
      const by = files.length > 0 ? files.join(', ') : (JUSTIFIED[row] ?? '');
      sections.push(`| ${row} | ${what} | ${result} | ${by} |`);
    }
    sections.push('');
  }
  lines.push(`${passed} of ${all} rows are shown.`, '', ...sections);
  return lines.join('\n');
}

/** Writes the page; false if a test of a row fails. */
export function reportRows(): boolean {
  const shown = shownBy(run(filesWithRows()));
  writeFileSync(PAGE, page(shown));
  execFileSync(join(ROOT, 'node_modules', '.bin', 'biome'), ['format', '--write', PAGE], {
    cwd: ROOT,
  });
  console.log(`wrote ${PAGE}`);
  return ![...shown.values()].flat().some(({ status }) => status === 'failed');
}
