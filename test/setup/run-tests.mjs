/** `npm test`: installs what is missing, runs `check`, then the scenario tests, which need root. */
import { spawnSync } from 'node:child_process';
import { ensurePrerequisites, repositoryRoot, toolEnvironment } from './prerequisites.mjs';

ensurePrerequisites({ recordedKubectl: true });

const env = toolEnvironment();
for (const script of ['check', 'test:scenarios']) {
  console.log(`\n> npm run ${script}`);
  const { status } = spawnSync('npm', ['run', '--silent', script], {
    cwd: repositoryRoot,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) process.exit(status ?? 1);
}
