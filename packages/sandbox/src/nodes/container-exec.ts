import { runLimited } from './command.ts';
import { LAUNCH_ENVIRONMENT, programArguments } from './container-launch.ts';
import type { ContainerProcess } from './container-process.ts';

/**
 * Program and arguments that run `command` inside a container: its namespaces, cgroup, user and environment, in the
 * main process's working directory. `extra` are variables on top, such as TERM.
 */
export function execCommand(
  container: ContainerProcess,
  command: readonly string[],
  extra: Readonly<Record<string, string>> = {},
): readonly [string, ...string[]] {
  const { launch } = container;
  const script = `pid=$1; shift
${launch.joinFiles.map((file) => `echo 0 > '${file}'`).join('\n')}
exec nsenter --target "$pid" --mount --uts --net "--wd=/proc/$pid/cwd" -- "$@"`;
  const program = programArguments({
    ...launch,
    environment: { ...launch.environment, ...extra },
    command,
  });
  return ['sh', '-ec', script, 'exec', String(container.pid), ...program];
}

/** What fits into an event; more of a probe's output is thrown away. */
const MAX_OUTPUT_CHARS = 4_096;

/** Runs a command to its end. After `timeoutMs` it is killed and counts as failed. */
export async function execToEnd(
  container: ContainerProcess,
  command: readonly string[],
  timeoutMs: number,
): Promise<{ exitCode: number; output: string }> {
  const [program, ...args] = execCommand(container, command);
  const { exitCode, output } = await runLimited(program, args, {
    env: LAUNCH_ENVIRONMENT,
    timeoutMs,
    mostChars: MAX_OUTPUT_CHARS,
  });
  if (exitCode !== null) return { exitCode, output };
  return { exitCode: 137, output: `command timed out after ${timeoutMs / 1000}s` };
}
