/** `npm run check:static`: lint, types and unused code at once; what each prints comes when it has ended. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

async function run(script) {
  const child = spawn('npm', ['run', '--silent', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  const printed = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes) => printed.push(bytes));
  const [status] = await once(child, 'close');
  for (const bytes of printed) process.stdout.write(bytes);
  if (status !== 0) console.log(`npm run ${script} failed`);
  return status ?? 1;
}

const statuses = await Promise.all(['check:lint', 'check:types', 'check:unused'].map(run));
process.exitCode = Math.max(...statuses);
