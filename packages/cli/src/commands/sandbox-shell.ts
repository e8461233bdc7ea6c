import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { runningSandbox, type SandboxPaths, sandboxPaths } from '../sandbox-process.ts';

/** `aquifer sandbox shell` and `aquifer sandbox logs`. */
export function addSandboxShell(sandbox: Command, context: CliContext): void {
  sandbox
    .command('shell')
    .description(
      'A shell whose kubectl talks to the sandbox; with a command, that instead of a shell',
    )
    .argument('[command...]', 'program and arguments, after --')
    .addHelpText(
      'after',
      '\nExamples:\n  aquifer sandbox shell\n  aquifer sandbox shell -- kubectl get pods -A',
    )
    .action((command: string[]) => shell(context, command));
  sandbox
    .command('logs')
    .description("Show the sandbox's own log: what its API, nodes and controllers complain about")
    .option('-f, --follow', 'go on as more is written')
    .addHelpText('after', '\nExample:\n  aquifer sandbox logs -f')
    .action((options: { follow?: boolean }) => logs(context, options.follow === true));
}

/** PATH has the folder of the programs that the setup installed already. */
async function shell({ env, progress }: CliContext, command: readonly string[]): Promise<void> {
  const paths = sandboxPaths(env);
  requireRunning(paths);
  if (command.length === 0)
    progress.note('kubectl talks to the sandbox here; exit leaves this shell.');
  const [program = env.SHELL || 'sh', ...args] = command;
  await run(program, args, { ...env, KUBECONFIG: paths.kubeconfig });
}

async function logs({ env }: CliContext, isFollowed: boolean): Promise<void> {
  const paths = sandboxPaths(env);
  if (!existsSync(paths.log)) requireRunning(paths);
  const options = isFollowed ? ['-n', '+1', '-F'] : ['-n', '+1'];
  await run('tail', [...options, paths.log], env);
}

function requireRunning(paths: SandboxPaths): void {
  if (runningSandbox(paths) !== null) return;
  throw new CliError('no sandbox is running', 'start one with: aquifer sandbox up');
}

/** On this process's own terminal. Throws with the exit code of a program that failed. */
async function run(
  program: string,
  args: readonly string[],
  env: CliContext['env'],
): Promise<void> {
  const child = spawn(program, args, { env, stdio: 'inherit' });
  // The program hears of Ctrl-C itself, and decides what it means.
  const ignore = (): void => undefined;
  process.on('SIGINT', ignore);
  try {
    const [code] = await once(child, 'close');
    if (code !== 0 && code !== null) throw new CliError(`${program} ended with exit code ${code}`);
  } finally {
    process.off('SIGINT', ignore);
  }
}
