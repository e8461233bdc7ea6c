/** `logs`, `exec`, `attach` and `port-forward` for the API server, answered by the kubelet of the pod's node. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Duplex } from 'node:stream';
import {
  ApiStatusError,
  type ContainerRef,
  type ExecRequest,
  type ExecSession,
  type PodAccess,
} from '@aquifer/kube-api';
import { execCommand } from './container-exec.ts';
import { LAUNCH_ENVIRONMENT } from './container-launch.ts';
import type { ContainerProcess } from './container-process.ts';
import type { ContainerRunner } from './container-runner.ts';
import type { PodWorker } from './pod-worker.ts';
import { connectInside } from './port-forward.ts';
import { startTerminal } from './terminal.ts';

/** Finds a pod on any node; null if no node runs it. */
export type FindWorker = (namespace: string, pod: string) => PodWorker | null;

export function podAccess(find: FindWorker): PodAccess {
  return {
    logs: async (ref, options) => {
      const previous = options.previous === true;
      const log = runnerOf(ref, find).log(previous);
      if (log !== null) return log.read(options);
      const { name, what } = names(ref, find);
      throw badRequest(
        previous
          ? `previous terminated container "${name}" in pod "${ref.pod}" not found`
          : `container "${name}" in pod "${ref.pod}" is waiting to start: ${what}`,
      );
    },
    exec: async (ref, request) => {
      const container = runningProcess(ref, find);
      return request.tty ? execInTerminal(container, request) : execWithPipes(container, request);
    },
    attach: async (ref, { stdin }) => runningProcess(ref, find).attach(stdin),
    portForward: async (ref, port): Promise<Duplex> => {
      const network = find(ref.namespace, ref.pod)?.sandbox?.network;
      if (network === undefined) throw notRunning(ref, find);
      return connectInside(network, port);
    },
  };
}

function runnerOf(ref: ContainerRef, find: FindWorker): ContainerRunner {
  const worker = find(ref.namespace, ref.pod);
  const runner = worker?.runner(ref.container) ?? null;
  if (runner !== null) return runner;
  if (worker !== null && worker.sandbox !== null) {
    throw badRequest(`container ${ref.container} is not valid for pod ${ref.pod}`);
  }
  const name = ref.container ?? worker?.pod.spec.containers[0]?.name ?? '';
  throw badRequest(
    `container "${name}" in pod "${ref.pod}" is waiting to start: ContainerCreating`,
  );
}

/** Whoever is told that it has ended reads its log instead; what it writes last nobody could be attached to. */
function runningProcess(ref: ContainerRef, find: FindWorker): ContainerProcess {
  const { process } = runnerOf(ref, find);
  if (process === null || process.hasEnded) throw notRunning(ref, find);
  return process;
}

function names(ref: ContainerRef, find: FindWorker): { name: string; what: string } {
  const { spec, state } = runnerOf(ref, find).view();
  const what = state.kind === 'waiting' ? waitingWords(state.reason) : state.kind;
  return { name: spec.name, what };
}

/** What the kubelet says for a waiting container. */
function waitingWords(reason: string): string {
  const isPull = reason === 'ErrImagePull' || reason === 'ImagePullBackOff';
  return isPull ? 'trying and failing to pull image' : reason;
}

function notRunning(ref: ContainerRef, find: FindWorker): ApiStatusError {
  const name =
    find(ref.namespace, ref.pod)?.runner(ref.container)?.spec.name ?? ref.container ?? '';
  return new ApiStatusError(
    500,
    'InternalError',
    `unable to upgrade connection: container not found ("${name}")`,
  );
}

function badRequest(message: string): ApiStatusError {
  return new ApiStatusError(400, 'BadRequest', message);
}

function execWithPipes(container: ContainerProcess, request: ExecRequest): ExecSession {
  const [program, ...args] = execCommand(container, request.command);
  const child = spawn(program, args, {
    stdio: [request.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    env: LAUNCH_ENVIRONMENT,
    cwd: '/',
    detached: true,
  });
  // The command may end before it has read everything; its exit code says so.
  child.stdin?.on('error', () => undefined);
  const exitCode = new Promise<number>((resolve) => {
    child.on('error', () => resolve(126));
    child.on('close', (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
  return {
    stdin: child.stdin,
    stdout: child.stdout!,
    stderr: child.stderr!,
    resize: () => undefined,
    kill: () => killGroup(child.pid),
    exitCode,
  };
}

function execInTerminal(container: ContainerProcess, request: ExecRequest): ExecSession {
  const [program, ...args] = execCommand(container, request.command, { TERM: 'xterm' });
  const terminal = startTerminal(program, args);
  return {
    stdin: terminal.stdin,
    stdout: terminal.stdout,
    stderr: null,
    resize: terminal.resize,
    kill: () => killGroup(terminal.pid),
    exitCode: terminal.exited.then(({ exitCode, signal }) => (signal ? 128 + signal : exitCode)),
  };
}

/** Commands lead a process group of their own; what they started goes with them. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Ended by itself.
  }
}
