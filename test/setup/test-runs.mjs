/**
 * Runs jobs of tests, says what failed and what was skipped, and gives files that failed one more try when the machine is
 * their own: many tests have time limits that a busy machine misses. They are named either way.
 */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { ensureBundles } from './bundles.mjs';
import { downloadGoModules } from './go-programs.mjs';
import { asMinutes, runJobs } from './jobs.mjs';
import { canHaveOwnMachine, spawnOnOwnMachine } from './own-machine.mjs';
import { repositoryRoot } from './prerequisites.mjs';
import { explainSkipped } from './skipped-tests.mjs';

/** With more files than that it is not the machine that is at fault. */
const MOST_TRIED_AGAIN = 6;
/** More than there are processors: most tests wait for something else. */
const MORE_AT_ONCE = 2;

/** What one process has compiled, types stripped, the next one need not. */
const COMPILED = join(repositoryRoot, 'node_modules', '.cache', 'compiled-for-tests');
process.env.NODE_COMPILE_CACHE ??= COMPILED;

/** What vitest wrote; undefined if a job is none of vitest's, or ended without. */
function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function reportedTo(job, path) {
  if (job.again === undefined) return job;
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile=${path}`];
  return { ...job, command: [...job.command, ...reporters] };
}

/** Runs jobs; for each its exit status, and the report of vitest. */
async function runReported(jobs, atOnce) {
  const reports = mkdtempSync(join(tmpdir(), 'aquifer-tests-'));
  const paths = jobs.map((_job, index) => join(reports, `${index}.json`));
  try {
    const statuses = await runJobs(
      jobs.map((job, index) => reportedTo(job, paths[index])),
      atOnce,
    );
    return jobs.map((job, index) => ({
      job,
      status: statuses[index],
      report: readReport(paths[index]),
    }));
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
}

/** Jobs of one file each, for those that failed; undefined if something else did. */
function toTryAgain(results) {
  const failed = results.filter(({ status }) => status !== 0);
  const jobs = failed.map(({ job, report }) =>
    (report?.testResults ?? [])
      .filter((file) => file.status === 'failed')
      .map((file) => job.again(relative(process.cwd(), file.name))),
  );
  if (jobs.some((files) => files.length === 0) || jobs.flat().length > MOST_TRIED_AGAIN) return;
  return jobs.flat();
}

function printFailed(results) {
  const files = results.flatMap(({ report }) => report?.testResults ?? []);
  console.log('\nFailed:');
  for (const { job, status, report } of results)
    if (status !== 0 && report === undefined) console.log(`  ${job.name}`);
  for (const file of files.filter((one) => one.status === 'failed')) {
    console.log(`  ${relative(process.cwd(), file.name)}`);
    for (const test of file.assertionResults.filter((one) => one.status === 'failed'))
      console.log(`    ${test.fullName}: ${test.failureMessages[0]?.split('\n')[0] ?? ''}`);
  }
}

/** Gives the exit status of the whole. */
export async function runTests(jobs) {
  const beganAtMs = performance.now();
  await ensureBundles(() => console.log('building dist/ …'));
  downloadGoModules();
  const atOnce = canHaveOwnMachine() ? availableParallelism() + MORE_AT_ONCE : 1;
  console.log(`${jobs.length} jobs, ${atOnce} at once`);
  const results = await runReported(jobs, atOnce);
  const reports = results.flatMap(({ report }) => (report === undefined ? [] : [report]));
  const tests = reports.reduce((sum, { numPassedTests }) => sum + numPassedTests, 0);
  console.log(`\n${tests} tests passed, in ${asMinutes(performance.now() - beganAtMs)} minutes`);
  const areExplained = explainSkipped(reports);
  const ofSkipped = areExplained || process.env.CI === undefined ? 0 : 1;
  if (results.every(({ status }) => status === 0)) return ofSkipped;
  printFailed(results);
  const again = toTryAgain(results);
  if (again === undefined) return 1;
  console.log('\nOnce more, alone:');
  const statuses = await runJobs(again, 1);
  return statuses.every((status) => status === 0) ? ofSkipped : 1;
}

/** Runs a command where tests run; what it prints is seen at once. Gives its exit status. */
export async function runNamed(command) {
  const [status] = await once(spawnOnOwnMachine(command, { stdio: 'inherit' }), 'close');
  return status ?? 1;
}
