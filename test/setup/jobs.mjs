/** Commands that run beside each other; each is told of when it has ended. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { spawnOnOwnMachine } from './own-machine.mjs';

const SAY_WHAT_RUNS_EVERY_MS = 30_000;

/** `m:ss`. */
export function asMinutes(ms) {
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** Exit status, and what was printed. */
async function run({ command, hasOwnMachine }) {
  const options = { stdio: ['ignore', 'pipe', 'pipe'] };
  const [program, ...args] = command;
  const child = hasOwnMachine ? spawnOnOwnMachine(command, options) : spawn(program, args, options);
  const printed = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes) => printed.push(bytes));
  const [status] = await once(child, 'close');
  return { status: status ?? 1, output: Buffer.concat(printed).toString() };
}

/**
 * Begins jobs, each `{ name, command, hasOwnMachine }`, in their order, with so many at once. Prints what a job printed if
 * it has failed. Gives the exit status of each.
 */
export async function runJobs(jobs, atOnce) {
  const beganAtMs = performance.now();
  const statuses = [];
  const running = new Map();
  const waiting = [...jobs.entries()];
  let ended = 0;

  const ticker = setInterval(() => {
    const now = performance.now();
    const each = [...running].map(([{ name }, atMs]) => `${name} (${asMinutes(now - atMs)})`);
    console.log(`  ${asMinutes(now - beganAtMs)} so far; still running: ${each.join(', ')}`);
  }, SAY_WHAT_RUNS_EVERY_MS);

  async function takeJobs() {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, job] = next;
      const startedAtMs = performance.now();
      running.set(job, startedAtMs);
      const { status, output } = await run(job);
      running.delete(job);
      ended += 1;
      statuses[index] = status;
      if (status !== 0) process.stdout.write(output);
      const took = asMinutes(performance.now() - startedAtMs);
      console.log(`${status === 0 ? '✔' : '✘'} ${job.name} (${took})  ${ended} of ${jobs.length}`);
    }
  }
  await Promise.all(Array.from({ length: atOnce }, takeJobs));
  clearInterval(ticker);
  return statuses;
}
