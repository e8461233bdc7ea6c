/**
 * `npm run test:unit`: in two halves at once, since most of them wait. Each half has a network namespace of its own, for
 * programs under test have ports that are fixed; where none can be made, it is one after the other. With arguments,
 * only what they name: `npm run test:unit -- packages/http`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { downloadGoModules } from './go-programs.mjs';

const OWN_NETWORK = ['unshare', '--net', '--', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];
const TESTS = ['vitest', 'run', '--project', 'unit'];

function canHaveOwnNetwork() {
  const [command, ...args] = [...OWN_NETWORK, 'true'];
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/** What the second half prints comes behind the first. */
async function run(command, isHeldBack) {
  const [program, ...args] = command;
  const child = spawn(program, args, {
    stdio: ['ignore', isHeldBack ? 'pipe' : 'inherit', isHeldBack ? 'pipe' : 'inherit'],
  });
  const printed = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (bytes) => printed.push(bytes));
  const [status] = await once(child, 'close');
  return { status: status ?? 1, printed };
}

const named = process.argv.slice(2);
const halves =
  named.length === 0 && availableParallelism() > 1 && canHaveOwnNetwork()
    ? ['1/2', '2/2'].map((half) => [...OWN_NETWORK, ...TESTS, `--shard=${half}`])
    : [[...TESTS, ...named]];
if (halves.length > 1) downloadGoModules();
const results = await Promise.all(halves.map((half, index) => run(half, index > 0)));
for (const { printed } of results) for (const bytes of printed) process.stdout.write(bytes);
process.exit(Math.max(...results.map(({ status }) => status)));
