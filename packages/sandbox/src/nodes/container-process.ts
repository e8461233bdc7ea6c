import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants as osConstants } from 'node:os';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { runCommand } from './command.ts';
import {
  LAUNCH_ENVIRONMENT,
  LAUNCH_PIPE,
  LAUNCHED,
  type Launch,
  launchCommand,
} from './container-launch.ts';
import type { ContainerLog } from './container-log.ts';

export interface ContainerExit {
  /** As a shell counts: 128 + the signal's number for a process ended by a signal. */
  readonly exitCode: number;
  readonly signal: NodeJS.Signals | null;
  readonly finishedAt: Date;
}

/** A container's main process. Its output goes to the log; its pid is the program's own. */
export class ContainerProcess {
  readonly pid: number;
  readonly launch: Launch;
  readonly startedAt: Date = new Date();
  /** Resolves when the process has ended and its output is written. Never rejects. */
  readonly exited: Promise<ContainerExit>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, launch: Launch, output: Promise<unknown>) {
    this.pid = child.pid!;
    this.launch = launch;
    this.#child = child;
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        const exitCode = code ?? 128 + (signal === null ? 0 : osConstants.signals[signal]);
        const exit = { exitCode, signal, finishedAt: new Date() };
        // A process that the program left behind may hold the pipe open: its output is not worth waiting for.
        const patience = new Promise((done) => setTimeout(done, 200).unref());
        void Promise.race([output, patience]).then(() => resolve(exit));
      });
    });
  }

  /**
   * Resolves when the program is about to run in its finished surroundings. Throws if those cannot be made; a program
   * that is not found exits 127, as in a shell.
   */
  static async start(launch: Launch, log: ContainerLog): Promise<ContainerProcess> {
    const stdout = await openPipe(`${launch.scratchDirectory}.stdout`);
    const stderr = await openPipe(`${launch.scratchDirectory}.stderr`);
    const [program, ...args] = launchCommand(launch);
    const child = spawn(program, args, {
      // The fourth is LAUNCH_PIPE.
      stdio: ['ignore', stdout.writeEnd, stderr.writeEnd, 'pipe'],
      env: LAUNCH_ENVIRONMENT,
      cwd: '/',
      detached: true,
    });
    closeSync(stdout.writeEnd);
    closeSync(stderr.writeEnd);
    const output = Promise.all([
      copyToLog(stdout.reader, 'stdout', log),
      copyToLog(stderr.reader, 'stderr', log),
    ]);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve).once('error', reject);
    });
    const container = new ContainerProcess(child, launch, output);
    const said = await text(child.stdio[LAUNCH_PIPE] as Readable);
    if (said.trim() === LAUNCHED) return container;
    await container.exited;
    const reason = await text(log.read({ tailLines: 5 }));
    throw new Error(`the container's file system cannot be made: ${reason.trim()}`);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }
}

/**
 * A named pipe, already nameless. Node's own pipes are sockets, and a program cannot open a socket by the name
 * /dev/stdout, as access logs of nginx and Envoy do.
 */
async function openPipe(path: string): Promise<{ reader: Socket; writeEnd: number }> {
  await runCommand('mkfifo', ['-m', '0666', path]);
  const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeEnd = openSync(path, constants.O_WRONLY);
  unlinkSync(path);
  return { reader: new Socket({ fd: readEnd, readable: true, writable: false }), writeEnd };
}

function copyToLog(pipe: Socket, stream: 'stdout' | 'stderr', log: ContainerLog): Promise<void> {
  return new Promise((resolve) => {
    pipe.setEncoding('utf8');
    pipe.on('data', (text: string) => log.write(stream, text));
    pipe.on('error', () => undefined);
    pipe.on('close', () => resolve());
  });
}
