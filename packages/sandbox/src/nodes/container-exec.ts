import { spawn } from 'node:child_process';
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
export function execToEnd(
  container: ContainerProcess,
  command: readonly string[],
  timeoutMs: number,
): Promise<{ exitCode: number; output: string }> {
  const [program, ...args] = execCommand(container, command);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: LAUNCH_ENVIRONMENT,
      cwd: '/',
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    let output = '';
    const collect = (text: string): void => {
      if (output.length < MAX_OUTPUT_CHARS) output += text;
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === null) output = `command timed out after ${timeoutMs / 1000}s`;
      resolve({ exitCode: code ?? 137, output });
    });
  });
}
