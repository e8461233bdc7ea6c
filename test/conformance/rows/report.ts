/**
 * `npm run conformance`: runs every test that has a row of the pages in its name, and writes the pages: what each row is
 * shown by, and whether it was.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RowPage, rowNumbers } from './row-page.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const FOLDER = join(ROOT, 'docs', 'conformance');

interface Finished {
  readonly fullName: string;
  readonly file: string;
  readonly status: string;
}

interface VitestResult {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** Files that name a row: the others need not run. */
function filesWithRows(pages: readonly RowPage[]): string[] {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.test.ts'], {
    cwd: ROOT,
  });
  return listed
    .toString()
    .split('\n')
    .filter((file) => file !== '')
    .filter((file) => {
      const text = readFileSync(join(ROOT, file), 'utf8');
      return pages.some((page) => rowNumbers(page, text).length > 0);
    });
}

/** One after the other, as `npm test` does: scenarios have limits of time, which other tests beside them would break. */
const PROJECTS = ['unit', 'integration', 'scenarios'] as const;

function run(files: readonly string[]): readonly Finished[] {
  console.log(`running ${files.length} files with tests of rows …`);
  return PROJECTS.flatMap((project) => runProject(project, files));
}

function runProject(
  project: (typeof PROJECTS)[number],
  files: readonly string[],
): readonly Finished[] {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  const output = join(folder, 'results.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${output}`];
  spawnSync(
    join(ROOT, 'node_modules', '.bin', 'vitest'),
    ['run', '--project', project, '--passWithNoTests', ...reporters, ...files],
    { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const { testResults } = JSON.parse(readFileSync(output, 'utf8')) as VitestResult;
  rmSync(folder, { recursive: true });
  return testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ fullName, status }) => ({
      fullName,
      status,
      file: name.slice(ROOT.length + 1),
    })),
  );
}

/** Tests by the row that they show. */
function byRow(page: RowPage, finished: readonly Finished[]): Map<string, Finished[]> {
  const shown = new Map<string, Finished[]>();
  for (const test of finished) {
    for (const row of rowNumbers(page, test.fullName)) {
      shown.set(row, [...(shown.get(row) ?? []), test]);
    }
  }
  return shown;
}

interface Outcome {
  readonly result: 'yes' | '**fails**' | 'not run here' | 'not yet' | 'left out' | '**not shown**';
  /** The files of its tests, or why there are none. */
  readonly by: string;
}

function outcomeOf(row: string, tests: readonly Finished[], { justified }: RowPage): Outcome {
  if (tests.length === 0) {
    for (const result of ['not yet', 'left out'] as const) {
      const by = justified[result][row];
      if (by !== undefined) return { result, by };
    }
    return { result: '**not shown**', by: '' };
  }
  const files = [...new Set(tests.map(({ file }) => `\`${file}\``))];
  return { result: resultOf(tests), by: files.join(', ') };
}

function resultOf(tests: readonly Finished[]): Outcome['result'] {
  const has = (wanted: string): boolean => tests.some(({ status }) => status === wanted);
  if (has('failed')) return '**fails**';
  return has('passed') ? 'yes' : 'not run here';
}

type Outcomes = ReadonlyMap<string, Outcome>;

function outcomesOf(page: RowPage, finished: readonly Finished[]): Outcomes {
  const shown = byRow(page, finished);
  const rows = Object.values(page.rows).flatMap((section) => Object.keys(section));
  return new Map(rows.map((row) => [row, outcomeOf(row, shown.get(row) ?? [], page)]));
}

function textOf(page: RowPage, outcomes: Outcomes): string {
  const sections: string[] = [];
  for (const [title, rows] of Object.entries(page.rows)) {
    sections.push(
      `## ${title}`,
      '',
      '| row | what | result | shown by |',
      '| --- | --- | --- | --- |',
    );
    for (const [row, what] of Object.entries(rows)) {
      const { result, by } = outcomes.get(row)!;
      sections.push(`| ${row} | ${what} | ${result} | ${by} |`);
    }
    sections.push('');
  }
  const results = [...outcomes.values()].map(({ result }) => result);
  const count = (wanted: Outcome['result']): number =>
    results.filter((result) => result === wanted).length;
  const others = [...new Set(results)].filter((result) => result !== 'yes');
  const rest = others.map((result) => `${count(result)} ${result}`).join(', ');
  return [
    `# ${page.title}`,
    '',
    '<!-- Written by `npm run conformance`: do not edit. -->',
    '',
    page.about,
    '',
    `${count('yes')} of ${results.length} rows are shown${rest === '' ? '' : ` (${rest})`}.`,
    '',
    ...sections,
  ].join('\n');
}

/** Writes the pages; false if a test of a row of theirs fails, or a row is shown by no test and has no reason. */
export function reportRows(pages: readonly RowPage[]): boolean {
  const finished = run(filesWithRows(pages));
  let isWell = true;
  for (const page of pages) {
    const outcomes = outcomesOf(page, finished);
    for (const { result } of outcomes.values()) {
      if (result === '**fails**' || result === '**not shown**') isWell = false;
    }
    const path = join(FOLDER, page.file);
    writeFileSync(path, textOf(page, outcomes));
    execFileSync(join(ROOT, 'node_modules', '.bin', 'biome'), ['format', '--write', path], {
      cwd: ROOT,
    });
    console.log(`wrote ${path}`);
  }
  return isWell;
}
