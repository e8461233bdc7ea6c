/** What `npm test` runs, as jobs. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './prerequisites.mjs';

export const UNIT = ['vitest', 'run', '--project', 'unit', '--project', 'integration'];
export const SCENARIOS = ['vitest', 'run', '--project', 'scenarios'];
const UNIT_PARTS = 6;
/** Begun first: whoever begins the longest last waits for it alone. */
const LONGEST = ['story', 'rollouts', 'installation', 'several-writers', 'sandbox-pods'];

/** On a machine of its own: programs under test have ports that are fixed, a sandbox names. `again` makes a job of one file. */
function testJob(name, command) {
  const again = (file) => testJob(file, ['vitest', 'run', file]);
  return { name, command, hasOwnMachine: true, again };
}

/** Lint, types and unused code, all the while that tests wait for something. */
export function staticChecks() {
  const command = ['nice', '-n', '15', 'npm', 'run', '--silent', 'check:static'];
  return [{ name: 'lint, types and unused code', command, hasOwnMachine: false }];
}

export function unitTests() {
  return Array.from({ length: UNIT_PARTS }, (_, part) =>
    testJob(`unit and integration tests, part ${part + 1}`, [
      ...UNIT,
      `--shard=${part + 1}/${UNIT_PARTS}`,
    ]),
  );
}

/** A job for each file. */
export function scenarios() {
  const folder = join(repositoryRoot, 'test', 'scenarios');
  const bytes = (name) => statSync(join(folder, `${name}.test.ts`)).size;
  const others = readdirSync(folder)
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => file.replace('.test.ts', ''))
    .filter((name) => !LONGEST.includes(name))
    .sort((a, b) => bytes(b) - bytes(a));
  return [...LONGEST, ...others].map((name) =>
    testJob(`scenario ${name}`, [...SCENARIOS, `test/scenarios/${name}.test.ts`]),
  );
}
