/**
 * What vitest reports of files that failed, and one more try for them when the machine is their own: many tests have
 * time limits that a busy machine misses. They are named either way.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { explainSkipped } from './skipped-tests.mjs';

/** With more files than that it is not the machine that is at fault. */
const MOST_TRIED_AGAIN = 6;

/** Arguments that make vitest write what `failedFiles` reads, beside what it prints. */
export function reportedTo(path) {
  return ['--reporter=default', '--reporter=json', `--outputFile=${path}`];
}

/** Undefined if the run ended without one. */
function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Files that failed, with their tests; undefined if the run ended without saying which. */
function failedFiles(report) {
  const failed = report?.testResults.filter((file) => file.status === 'failed') ?? [];
  return failed.length === 0 ? undefined : failed;
}

function printFailed(files) {
  for (const file of files) {
    console.log(`  ${relative(process.cwd(), file.name)}`);
    for (const test of file.assertionResults.filter((one) => one.status === 'failed'))
      console.log(`    ${test.fullName}: ${test.failureMessages[0]?.split('\n')[0] ?? ''}`);
  }
}

/**
 * Runs `parts` (each gets the path of its report, and gives its exit status), then `again` with the names of the files
 * that failed, if they are few. Gives the exit status of the whole.
 */
export async function runWithOneMoreTry(parts, again) {
  const reports = mkdtempSync(join(tmpdir(), 'aquifer-tests-'));
  const reportOf = (index) => join(reports, `${index}.json`);
  try {
    const statuses = await Promise.all(parts.map((part, index) => part(reportOf(index))));
    const found = parts.map((_part, index) => readReport(reportOf(index)));
    const areExplained = explainSkipped(found.filter((report) => report !== undefined));
    const ofSkipped = areExplained || process.env.CI === undefined ? 0 : 1;
    const failed = statuses.flatMap((status, index) =>
      status === 0 ? [] : [failedFiles(found[index])],
    );
    if (failed.length === 0) return ofSkipped;
    if (failed.includes(undefined)) return Math.max(...statuses);
    const files = failed.flat();
    console.log('\nFailed:');
    printFailed(files);
    if (files.length > MOST_TRIED_AGAIN) return Math.max(...statuses);
    console.log('\nOnce more, alone:');
    return (await again(files.map((file) => file.name))) || ofSkipped;
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
}
