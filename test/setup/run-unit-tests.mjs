/**
 * `npm run test:unit`: in four parts at once, since most tests wait. Each part has a network namespace of its own, for
 * programs under test have ports that are fixed; where none can be made, it is one after the other. With arguments,
 * only what they name: `npm run test:unit -- packages/http`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { reportedTo, runWithOneMoreTry } from './failed-tests.mjs';
import { downloadGoModules } from './go-programs.mjs';

const OWN_NETWORK = ['unshare', '--net', '--', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];
const TESTS = ['vitest', 'run', '--project', 'unit', '--project', 'integration'];
const PARTS = 4;

function canHaveOwnNetwork() {
  const [command, ...args] = [...OWN_NETWORK, 'true'];
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/** What is held back is printed whole, when it has ended. */
async function run(command, isHeldBack) {
  const [program, ...args] = command;
  const child = spawn(program, args, {
    stdio: ['ignore', isHeldBack ? 'pipe' : 'inherit', isHeldBack ? 'pipe' : 'inherit'],
  });
  const printed = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (bytes) => printed.push(bytes));
  const [status] = await once(child, 'close');
  for (const bytes of printed) process.stdout.write(bytes);
  return status ?? 1;
}

function runPart(part, reportPath) {
  const shard = `--shard=${part + 1}/${PARTS}`;
  return run([...OWN_NETWORK, ...TESTS, shard, ...reportedTo(reportPath)], part > 0);
}

const named = process.argv.slice(2);
if (named.length === 0 && availableParallelism() > 1 && canHaveOwnNetwork()) {
  downloadGoModules();
  process.exitCode = await runWithOneMoreTry(
    Array.from({ length: PARTS }, (_, part) => (report) => runPart(part, report)),
    (files) => run([...OWN_NETWORK, ...TESTS, ...files], false),
  );
} else {
  process.exitCode = await run([...TESTS, ...named], false);
}
