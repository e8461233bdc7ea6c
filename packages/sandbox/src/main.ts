import { createLogger, describeProblems, EXIT_BAD_CONFIG } from '@aquifer/runtime';
import { startSandbox } from './app.ts';
import { runCommand } from './commands.ts';
import { parseConfig } from './config.ts';
import { SandboxError } from './errors.ts';

/** `main.ts` runs a sandbox until SIGTERM, SIGINT or SIGHUP; `main.ts COMMAND …` does what `runCommand` says. */
async function main(words: readonly string[]): Promise<void> {
  const config = parseConfig(process.env);
  if (!config.ok) {
    process.stderr.write(`${describeProblems(config.error)}\n`);
    process.exit(EXIT_BAD_CONFIG);
  }
  if (words.length > 0) return runCommand(words, config.value.dataDirectory, report);
  const write = (text: string): boolean => process.stderr.write(text);
  const log = createLogger('sandbox', { format: 'plain', levels: config.value.logLevel, write });
  const signalled = new Promise((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(name, resolve);
  });
  const sandbox = await startSandbox(config.value, { log, onStep: report });
  report({ event: 'ready', url: sandbox.url, kubeconfig: sandbox.kubeconfigPath });
  await signalled;
  report({ event: 'stopping' });
  await sandbox.stop();
  report({ event: 'stopped' });
}

function report(step: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(step)}\n`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const { message, stack } = error as Error;
  process.stderr.write(`${error instanceof SandboxError ? message : stack}\n`);
  process.exit(1);
});
