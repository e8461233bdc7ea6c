import { VERSION } from '@aquifer/runtime';
import { Command, CommanderError } from 'commander';
import { apiMessage } from './api-errors.ts';
import { addAnalyze } from './commands/analyze.ts';
import { addBugReport } from './commands/bug-report.ts';
import { addCheck } from './commands/check.ts';
import { addCompare } from './commands/compare.ts';
import { addCompletion } from './commands/completion.ts';
import { addDashboard } from './commands/dashboard.ts';
import { addExplain } from './commands/explain.ts';
import { addInstall, addUpgrade } from './commands/install.ts';
import { addProxyConfig } from './commands/proxy-config.ts';
import { addProxyStatus } from './commands/proxy-status.ts';
import { addSandbox } from './commands/sandbox.ts';
import { addUninstall } from './commands/uninstall.ts';
import { addVersion } from './commands/version.ts';
import { addWaypoint } from './commands/waypoint.ts';
import { addZtunnelConfig } from './commands/ztunnel-config.ts';
import type { CliContext } from './context.ts';
import { CliError } from './errors.ts';
import { printable } from './output/printable.ts';

/** Exit code of commands that are written wrongly, as istioctl's (EX_USAGE of sysexits.h). */
const USAGE_ERROR = 64;

const EXAMPLES = `
Examples:
  aquifer sandbox up                # a cluster on this machine, with the mesh in it
  aquifer install --dry-run         # what would come into the cluster of your kubeconfig
  aquifer waypoint apply -n shop --enroll-namespace --wait
  aquifer check                     # what is missing, and what to do about it
  aquifer analyze                   # what is wrong with routes and policies`;

class AquiferCommand extends Command {
  override createCommand(name?: string): Command {
    return new AquiferCommand(name);
  }

  /** Also a group without a subcommand shows its help on standard output and succeeds, as with kubectl. */
  override help(): never {
    return super.help();
  }
}

/** The command with all of its commands. `writeError` gets what is wrong with a command line. */
export function aquiferProgram(
  context: CliContext,
  writeError: (text: string) => unknown,
): Command {
  const program = new AquiferCommand('aquifer')
    .description(
      'An ambient service mesh: enrol namespaces by label, deploy waypoints, compare the cost',
    )
    .option(
      '-c, --kubeconfig <path>',
      'kubeconfig to use (default: KUBECONFIG, ~/.kube/config, the sandbox)',
    )
    .option('--context <name>', 'context of the kubeconfig to use (default: its current one)')
    .version(VERSION, '-v, --version', 'print the version')
    .addHelpText('after', EXAMPLES)
    .showHelpAfterError('(try --help)')
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void writeError(text),
    })
    .exitOverride();
  for (const add of [
    addSandbox,
    addInstall,
    addUpgrade,
    addUninstall,
    addWaypoint,
    addProxyStatus,
    addProxyConfig,
    addZtunnelConfig,
    addDashboard,
    addExplain,
    addAnalyze,
    addCompare,
    addCheck,
    addBugReport,
    addVersion,
  ])
    add(program, context);
  addCompletion(program);
  return program;
}

/** Runs one command line (without program name) and returns its exit code: 0, 64 for wrong usage, else 1. */
export async function runCommandLine(
  args: readonly string[],
  context: CliContext,
  writeError: (text: string) => unknown,
): Promise<number> {
  const program = aquiferProgram(context, writeError);
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_ERROR;
    const remedy = error instanceof CliError ? error.remedy : null;
    const message = apiMessage(error) ?? (error as Error).message;
    writeError(printable(`error: ${message}${remedy === null ? '' : `\n  → ${remedy}`}\n`));
    return 1;
  }
}
