/** `npm run test:scenarios`, as root. With arguments, only what they name: `npm run test:scenarios -- story`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { reportedTo, runWithOneMoreTry } from './failed-tests.mjs';

async function run(args) {
  const child = spawn('vitest', ['run', '--project', 'scenarios', ...args], { stdio: 'inherit' });
  const [status] = await once(child, 'close');
  return status ?? 1;
}

const named = process.argv.slice(2);
process.exitCode =
  named.length > 0
    ? await run(named)
    : await runWithOneMoreTry([(report) => run(reportedTo(report))], run);
