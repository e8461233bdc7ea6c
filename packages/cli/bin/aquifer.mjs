#!/usr/bin/env node
/**
 * Starts the CLI with the Node that the package pins, whichever Node this file was started with. In a clone it builds
 * the programs first if their sources have changed.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const main = join(root, 'dist', 'cli', 'main.mjs');
const bundles = join(root, 'test', 'setup', 'bundles.mjs');
const pinned = join(root, 'node_modules', 'node', 'bin', 'node');

if (!existsSync(pinned)) {
  console.error('aquifer: its packages are not installed. Run "npm ci" in the clone first.');
  process.exit(1);
}
if (existsSync(bundles)) {
  const { ensureBundles } = await import(bundles);
  await ensureBundles(() => console.error('building the programs (dist/), a few seconds …'));
}
const child = spawn(pinned, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 1)));
