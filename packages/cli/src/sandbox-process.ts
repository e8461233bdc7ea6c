import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { installationRoot } from '@aquifer/runtime';
import { CliError } from './errors.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Files of the sandbox of this machine. */
export interface SandboxPaths {
  readonly dataDirectory: string;
  readonly kubeconfig: string;
  /** Written by the sandbox once it serves. */
  readonly state: string;
  readonly log: string;
}

/** What the sandbox says about itself. */
export interface SandboxState {
  readonly pid: number;
  readonly url: string;
  readonly startedAt: string;
  readonly kubeconfig: string;
}

/** A bundle, also when this command itself runs from its sources. */
const SANDBOX_MAIN = join(installationRoot(import.meta.dirname), 'dist', 'sandbox', 'main.mjs');
/** `node:sqlite` is experimental. */
const SANDBOX_OPTIONS = ['--disable-warning=ExperimentalWarning', '--enable-source-maps'];
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 60_000;
const POLL_MS = 100;
const LOG_LINES_SHOWN = 15;

/** Where the sandbox keeps its files: SANDBOX_DATA_DIR, else below XDG_STATE_HOME or ~/.local/state. */
export function sandboxPaths(env: Env): SandboxPaths {
  const stateHome = env.XDG_STATE_HOME || join(env.HOME || homedir(), '.local', 'state');
  const dataDirectory = env.SANDBOX_DATA_DIR || join(stateHome, 'aquifer');
  return {
    dataDirectory,
    kubeconfig: join(dataDirectory, 'kubeconfig'),
    state: join(dataDirectory, 'sandbox.json'),
    log: join(dataDirectory, 'sandbox.log'),
  };
}

/** The running sandbox, or null; a state file whose process is gone does not count. */
export function runningSandbox(paths: SandboxPaths): SandboxState | null {
  if (!existsSync(paths.state)) return null;
  const state = JSON.parse(readFileSync(paths.state, 'utf8')) as SandboxState;
  return isAlive(state.pid) ? state : null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Starts the sandbox in the background and resolves when its API serves; on a signal it is taken down again. */
export async function startSandboxProcess(paths: SandboxPaths, env: Env): Promise<SandboxState> {
  mkdirSync(paths.dataDirectory, { recursive: true });
  const log = openSync(paths.log, 'w');
  const child = spawn(process.execPath, [...SANDBOX_OPTIONS, SANDBOX_MAIN], {
    detached: true,
    env: { ...env, SANDBOX_DATA_DIR: paths.dataDirectory },
    stdio: ['ignore', log, log],
  });
  const interrupted = Promise.withResolvers<never>();
  const onSignal = (): void => {
    child.kill('SIGTERM');
    interrupted.reject(new CliError('interrupted; the sandbox was taken down again'));
  };
  // Not once: a terminal interrupts the whole process group, so that the same Ctrl-C arrives again from our launcher.
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    return await Promise.race([untilServing(child, paths), interrupted.promise]);
  } catch (error) {
    await untilGone(child.pid ?? 0);
    throw error;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    child.unref();
  }
}

async function untilServing(child: ChildProcess, paths: SandboxPaths): Promise<SandboxState> {
  const deadlineMs = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadlineMs) {
    const state = runningSandbox(paths);
    if (state !== null) return state;
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new CliError(
        `the sandbox could not start:\n${lastLines(paths.log)}`,
        'see: aquifer check',
      );
    }
    await delay(POLL_MS);
  }
  child.kill('SIGTERM');
  throw new CliError(`the sandbox did not serve in time:\n${lastLines(paths.log)}`);
}

function lastLines(path: string): string {
  return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-LOG_LINES_SHOWN).join('\n');
}

async function untilGone(pid: number): Promise<boolean> {
  const deadlineMs = Date.now() + STOP_TIMEOUT_MS;
  while (isAlive(pid) && Date.now() < deadlineMs) await delay(POLL_MS);
  return !isAlive(pid);
}

/** Takes the sandbox down, or what a crashed one left behind. Returns whether there was a running one. */
export async function stopSandboxProcess(paths: SandboxPaths, env: Env): Promise<boolean> {
  const state = runningSandbox(paths);
  if (state !== null) {
    process.kill(state.pid, 'SIGTERM');
    if (!(await untilGone(state.pid))) {
      throw new CliError(
        `the sandbox (process ${state.pid}) does not end`,
        `kill -9 ${state.pid}; aquifer sandbox down`,
      );
    }
  }
  await runSandboxCommand(paths, env, ['cleanup']);
  rmSync(paths.log, { force: true });
  return state !== null;
}

/** An image that was loaded or pulled. */
export interface SandboxImage {
  readonly name: string;
  /** Digest of its configuration. */
  readonly id: string;
  readonly layers: number;
}

/** `images` of the sandbox: `load ARCHIVE…`, `pull NAME…`, `list`; also while none runs. Throws with its refusal. */
export async function sandboxImages(
  paths: SandboxPaths,
  env: Env,
  args: readonly string[],
): Promise<readonly SandboxImage[]> {
  const printed = await runSandboxCommand(paths, env, ['images', ...args]);
  const lines = printed.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const { name, id, layers } = JSON.parse(line) as SandboxImage;
    return { name, id, layers };
  });
}

/** A command of the sandbox's program, to its end. Returns its standard output; throws with what it says otherwise. */
async function runSandboxCommand(
  paths: SandboxPaths,
  env: Env,
  args: readonly string[],
): Promise<string> {
  const child = spawn(process.execPath, [...SANDBOX_OPTIONS, SANDBOX_MAIN, ...args], {
    env: { ...env, SANDBOX_DATA_DIR: paths.dataDirectory },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  if (code === 0) return output;
  throw new CliError(errors.trim());
}
