import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

/** What a command printed, and how it ended. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const MAX_OUTPUT_BYTES = 1 << 26;

/** Programs from PyPI live outside the clone; their folder comes last, so that the machine's own win. */
export function commandPath(env: Readonly<Record<string, string | undefined>>): string {
  const cache = env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache');
  return [env.PATH ?? '', join(cache, 'aquifer', 'venv', 'bin')].join(delimiter);
}

/** Runs a command to its end; a non-zero exit is a result, not an exception. */
export function run(
  command: readonly string[],
  options: {
    readonly env: NodeJS.ProcessEnv;
    readonly input?: string;
    readonly timeoutMs?: number;
    /** Gets each line of standard error when it comes. */
    readonly onErrorLine?: (line: string) => void;
  },
): Promise<CommandResult> {
  const [program = '', ...args] = command;
  return new Promise((resolve) => {
    const child = execFile(
      program,
      args,
      {
        env: options.env,
        maxBuffer: MAX_OUTPUT_BYTES,
        timeout: options.timeoutMs ?? 120_000,
        encoding: 'utf8',
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        resolve({ code, stdout, stderr });
      },
    );
    const { onErrorLine } = options;
    if (onErrorLine && child.stderr) createInterface(child.stderr).on('line', onErrorLine);
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/** kubectl and aquifer against one cluster. */
export class Kubectl {
  readonly env: NodeJS.ProcessEnv;

  constructor(kubeconfig: string, env: NodeJS.ProcessEnv) {
    this.env = { ...env, KUBECONFIG: kubeconfig, PATH: commandPath(env) };
  }

  /** Throws with what kubectl said if it fails. */
  async run(...args: readonly string[]): Promise<string> {
    const result = await this.try(...args);
    if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr.trim()}`);
    return result.stdout;
  }

  try(...args: readonly string[]): Promise<CommandResult> {
    return run(['kubectl', ...args], { env: this.env });
  }

  async apply(yaml: string): Promise<string> {
    const result = await run(['kubectl', 'apply', '-f', '-'], { env: this.env, input: yaml });
    if (result.code !== 0) throw new Error(`kubectl apply: ${result.stderr.trim()}`);
    return result.stdout;
  }

  /** Runs a command in a pod, or in a pod of a workload such as `deploy/client`. */
  exec(
    namespace: string,
    target: string,
    command: readonly string[],
    timeoutMs = 60_000,
  ): Promise<CommandResult> {
    const args = ['exec', '-n', namespace, target, '--', ...command];
    return run(['kubectl', ...args], { env: this.env, timeoutMs });
  }

  /** Starts a command in a pod and leaves it running; resolves to its result when it ends. */
  start(namespace: string, target: string, command: readonly string[]): Promise<CommandResult> {
    const child = spawn('kubectl', ['exec', '-n', namespace, target, '--', ...command], {
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    return new Promise((resolve) => {
      child.once('close', (code) => resolve({ code: code ?? 1, stdout, stderr }));
    });
  }

  async json<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.run(...args, '-o', 'json')) as T;
  }
}

/** The `aquifer` command of this clone. */
export function aquifer(
  env: NodeJS.ProcessEnv,
  args: readonly string[],
  options: { readonly timeoutMs?: number; readonly onErrorLine?: (line: string) => void } = {},
): Promise<CommandResult> {
  const bin = join(import.meta.dirname, '..', '..', 'packages', 'cli', 'bin', 'aquifer.mjs');
  if (!existsSync(bin)) throw new Error(`${bin} is missing`);
  return run([process.execPath, bin, ...args], {
    timeoutMs: 300_000,
    ...options,
    env: { ...env, PATH: commandPath(env) },
  });
}
