/** `npm test`: installs what is missing, then runs everything, the scenarios too, which need root. */
import { spawnSync } from 'node:child_process';
import { buildGoProgramsAhead } from './go-programs.mjs';
import { ensurePrerequisites, repositoryRoot, toolEnvironment } from './prerequisites.mjs';

ensurePrerequisites({ forTests: true });
Object.assign(process.env, toolEnvironment());
process.chdir(repositoryRoot);

const format = spawnSync('npm', ['run', '--silent', 'check:format'], { stdio: 'inherit' });
if (format.status !== 0) process.exit(format.status ?? 1);
buildGoProgramsAhead();
// Only now: what they import may just have been installed.
const { scenarios, staticChecks, unitTests } = await import('./test-jobs.mjs');
const { runTests } = await import('./test-runs.mjs');
const [longest, ...others] = scenarios();
process.exitCode = await runTests([...staticChecks(), longest, ...unitTests(), ...others]);
