/** `npm run test:scenarios`, as root. With arguments, only what they name: `npm run test:scenarios -- story`. */
import { SCENARIOS, scenarios } from './test-jobs.mjs';
import { runNamed, runTests } from './test-runs.mjs';

const named = process.argv.slice(2);
process.exitCode =
  named.length > 0 ? await runNamed([...SCENARIOS, ...named]) : await runTests(scenarios());
