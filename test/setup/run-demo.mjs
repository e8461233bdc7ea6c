/** `npm run demo [-- --keep]`: installs and builds what is missing, then tells the story with the pinned Node. */
import { spawn } from 'node:child_process';
import { ensureBundles } from './bundles.mjs';
import {
  ensurePrerequisites,
  pinnedNode,
  repositoryRoot,
  toolEnvironment,
} from './prerequisites.mjs';

if (process.getuid?.() !== 0) {
  console.error('The demo makes network namespaces: run it as root, e.g. sudo npm run demo');
  process.exit(1);
}
ensurePrerequisites();
await ensureBundles(() => console.log('building the programs (dist/), a few seconds …'));

const args = [
  '--disable-warning=ExperimentalWarning',
  'test/demo/main.ts',
  ...process.argv.slice(2),
];
const demo = spawn(pinnedNode, args, {
  cwd: repositoryRoot,
  env: toolEnvironment(),
  stdio: 'inherit',
});
// The demo gets the same signal from the terminal, and takes the sandbox down before it ends.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);
demo.on('exit', (code) => process.exit(code ?? 1));
