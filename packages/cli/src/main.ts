import { Command } from 'commander';
import { addCheck } from './commands/check.ts';
import { addCompare } from './commands/compare-run.ts';
import { addSandbox } from './commands/sandbox.ts';
import { addWaypoint } from './commands/waypoint.ts';
import { addZtunnelConfig } from './commands/ztunnel-config.ts';
import { createContext } from './context.ts';
import { CliError } from './errors.ts';
import { withToolPath } from './tool-path.ts';

const program = new Command('aquifer')
  .description(
    'An ambient service mesh: enrol namespaces by label, deploy waypoints, compare the cost',
  )
  .option(
    '--kubeconfig <path>',
    'kubeconfig to use (default: KUBECONFIG, ~/.kube/config, the sandbox)',
  )
  .showHelpAfterError('(try --help)');
const context = createContext(withToolPath(process.env), process);
for (const add of [addSandbox, addWaypoint, addZtunnelConfig, addCompare, addCheck])
  add(program, context);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CliError) {
    console.error(`error: ${error.message}${error.remedy === null ? '' : `\n  → ${error.remedy}`}`);
  } else console.error(`error: ${(error as Error).message}`);
  process.exitCode = 1;
}
