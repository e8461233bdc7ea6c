/** `npm test`: installs what is missing, runs `check`, then the scenario tests, which need root. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { buildGoProgramsAhead } from './go-programs.mjs';
import { ensurePrerequisites, repositoryRoot, toolEnvironment } from './prerequisites.mjs';

ensurePrerequisites({ forTests: true });

buildGoProgramsAhead();
const env = toolEnvironment();
for (const script of ['check', 'test:scenarios']) {
  console.log(`\n> npm run ${script}`);
  const child = spawn('npm', ['run', '--silent', script], {
    cwd: repositoryRoot,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [status] = await once(child, 'exit');
  if (status !== 0) process.exit(status ?? 1);
}
