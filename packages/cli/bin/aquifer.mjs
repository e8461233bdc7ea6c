#!/usr/bin/env node
/** Starts the CLI with the Node that the repository pins, whichever Node this file was started with. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const main = join(here, '..', 'src', 'main.ts');
const pinned = join(here, '..', '..', '..', 'node_modules', 'node', 'bin', 'node');

if (!existsSync(pinned)) {
  console.error('aquifer: its packages are not installed. Run "npm ci" in the clone first.');
  process.exit(1);
}
const child = spawn(
  pinned,
  ['--disable-warning=ExperimentalWarning', main, ...process.argv.slice(2)],
  {
    stdio: 'inherit',
  },
);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 1)));
