/** `npm run test:unit`, integration tests too. With arguments, only what they name: `npm run test:unit -- packages/http`. */
import { UNIT, unitTests } from './test-jobs.mjs';
import { runNamed, runTests } from './test-runs.mjs';

const named = process.argv.slice(2);
process.exitCode =
  named.length > 0 ? await runNamed([...UNIT, ...named]) : await runTests(unitTests());
