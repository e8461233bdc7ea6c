/**
 * What vitest reports of files that failed, and one more try for them when the machine is their own: many tests have
 * time limits that a busy machine misses. They are named either way.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

/** With more files than that it is not the machine that is at fault. */
const MOST_TRIED_AGAIN = 6;

/** Arguments that make vitest write what `failedFiles` reads, beside what it prints. */
export function reportedTo(path) {
  return ['--reporter=default', '--reporter=json', `--outputFile=${path}`];
}

/** Files that failed, with their tests; undefined if the run ended without saying which. */
function failedFiles(reportPath) {
  let report;
  try {
    report = JSON.parse(readFileSync(reportPath, 'utf8'));
  } catch {
    return undefined;
  }
  const failed = report.testResults.filter((file) => file.status === 'failed');
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
    const failed = statuses.flatMap((status, index) =>
      status === 0 ? [] : [failedFiles(reportOf(index))],
    );
    if (failed.length === 0) return 0;
    if (failed.includes(undefined)) return Math.max(...statuses);
    const files = failed.flat();
    console.log('\nFailed:');
    printFailed(files);
    if (files.length > MOST_TRIED_AGAIN) return Math.max(...statuses);
    console.log('\nOnce more, alone:');
    return await again(files.map((file) => file.name));
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
}
