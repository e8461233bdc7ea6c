import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';

/**
 * `completion SHELL` prints what makes a shell complete commands, options and their values; the shell then asks the hidden
 * command `complete`. To be called when all other commands are there.
 */
export function addCompletion(program: Command): void {
  tab(program, { completionCommandName: 'completion' });
  program.commands
    .find((command) => command.name() === 'completion')
    // Whoever leaves the shell out sees which there are.
    ?.showHelpAfterError()
    .description('Print a script that makes a shell complete commands, options and their values')
    .addHelpText(
      'after',
      '\nExamples:\n  source <(aquifer completion bash)\n  aquifer completion fish > ~/.config/fish/completions/aquifer.fish',
    );
}
