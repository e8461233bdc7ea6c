import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants as osConstants } from 'node:os';
import { type Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { ExecSession } from '@aquifer/kube-api';
import { runCommand } from './command.ts';
import {
  LAUNCH_ENVIRONMENT,
  LAUNCH_PIPE,
  LAUNCHED,
  type Launch,
  launchCommand,
} from './container-launch.ts';
import type { ContainerLog } from './container-log.ts';
import { ContainerOutput } from './container-output.ts';
import { startTerminal } from './terminal.ts';

/** How long what a shell said before its end may take to arrive. */
const SAID_AFTER_END_MS = 100;

export interface ContainerExit {
  /** As a shell counts: 128 + the signal's number for a process ended by a signal. */
  readonly exitCode: number;
  readonly finishedAt: Date;
}

/** The running program, with pipes or on a terminal. */
interface Running {
  readonly pid: number;
  /** Null unless the container was to have an input. */
  readonly stdin: Writable | null;
  readonly exitCode: Promise<number>;
  /** Resolves when all that it wrote has arrived. */
  readonly outputEnd: Promise<unknown>;
  /** What the launching shell says on its pipe, and no more than that. */
  readonly said: Promise<string>;
  resize(columns: number, rows: number): void;
}

/** A container's main process. Its output goes to the log; its pid is the program's own. */
export class ContainerProcess {
  readonly pid: number;
  readonly launch: Launch;
  readonly startedAt: Date = new Date();
  /** Resolves when the process has ended and its output is written. Never rejects. */
  readonly exited: Promise<ContainerExit>;
  readonly #running: Running;
  readonly #output: ContainerOutput;
  #hasEnded = false;

  private constructor(running: Running, launch: Launch, output: ContainerOutput) {
    this.pid = running.pid;
    this.launch = launch;
    this.#running = running;
    this.#output = output;
    // It may end before it has read everything.
    running.stdin?.on('error', () => undefined);
    this.exited = running.exitCode.then(async (exitCode) => {
      this.#hasEnded = true;
      const exit = { exitCode, finishedAt: new Date() };
      // A process that the program left behind may hold the pipe open: its output is not worth waiting for.
      const patience = new Promise((done) => setTimeout(done, 200).unref());
      await Promise.race([running.outputEnd, patience]);
      output.end();
      return exit;
    });
  }

  /**
   * Resolves when the program is about to run in its finished surroundings. Throws if those cannot be made; a program
   * that is not found exits 127, as in a shell.
   */
  static async start(launch: Launch, log: ContainerLog): Promise<ContainerProcess> {
    const output = new ContainerOutput(log);
    const running = await (launch.input.isTerminal ? runInTerminal : runWithPipes)(launch, output);
    const container = new ContainerProcess(running, launch, output);
    const said = await running.said;
    if (said.trim() === LAUNCHED) return container;
    await container.exited;
    const reason = await text(log.read({ tailLines: 5 }));
    throw new Error(`the container's file system cannot be made: ${reason.trim()}`);
  }

  /** True from its end on, also while what it wrote last is still on the way. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  signal(name: NodeJS.Signals): void {
    // Its number may be somebody else's by now.
    if (!this.#hasEnded) process.kill(this.pid, name);
  }

  /**
   * The program's own streams, from now on. Its input ends with the first who had it when the container asked for that
   * (`isOnce`), and otherwise stays open for the next.
   */
  attach(wantsInput: boolean): ExecSession {
    const { stdin } = this.#running;
    const { stdout, stderr } = this.#output.attach();
    const endInput = (): void => {
      if (wantsInput && this.launch.input.isOnce) stdin?.end();
    };
    const ownInput = new Writable({
      write: (chunk, _encoding, done) => {
        if (stdin?.write(chunk) ?? true) done();
        else stdin?.once('drain', done);
      },
      final: (done) => {
        endInput();
        done();
      },
    });
    return {
      stdin: wantsInput ? ownInput : null,
      stdout,
      stderr: this.launch.input.isTerminal ? null : stderr,
      resize: (columns, rows) => this.#running.resize(columns, rows),
      kill: () => {
        endInput();
        stdout.destroy();
        stderr.destroy();
      },
      // Its exit code is in the pod's status; being attached to it was a success.
      exitCode: this.exited.then(() => 0),
    };
  }
}

async function runWithPipes(launch: Launch, output: ContainerOutput): Promise<Running> {
  const paths = ['stdout', 'stderr'].map((name) => `${launch.scratchDirectory}.${name}`);
  await makePipes(paths);
  const [stdout, stderr] = paths.map(openPipe) as [Pipe, Pipe];
  for (const path of paths) unlinkSync(path);
  const [program, ...args] = launchCommand(launch, null);
  const child: ChildProcess = spawn(program, args, {
    // The fourth is LAUNCH_PIPE.
    stdio: [launch.input.isOpen ? 'pipe' : 'ignore', stdout.writeEnd, stderr.writeEnd, 'pipe'],
    env: LAUNCH_ENVIRONMENT,
    cwd: '/',
    detached: true,
  });
  closeSync(stdout.writeEnd);
  closeSync(stderr.writeEnd);
  const outputEnd = Promise.all([
    output.copy(stdout.reader, 'stdout'),
    output.copy(stderr.reader, 'stderr'),
  ]);
  const exitCode = new Promise<number>((resolve) => {
    child.once('exit', (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : osConstants.signals[signal]));
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve).once('error', reject);
  });
  return {
    pid: child.pid!,
    stdin: child.stdin,
    exitCode,
    outputEnd,
    said: text(child.stdio[LAUNCH_PIPE] as Readable),
    resize: () => undefined,
  };
}

async function runInTerminal(launch: Launch, output: ContainerOutput): Promise<Running> {
  const path = `${launch.scratchDirectory}.launched`;
  // A terminal's program inherits nothing else, so it opens the pipe by its name.
  await makePipes([path]);
  const pipe = openPipe(path);
  const [program, ...args] = launchCommand(launch, path);
  const terminal = startTerminal(program, args);
  const exitCode = terminal.exited.then(({ exitCode: code, signal }) =>
    signal === 0 ? code : 128 + signal,
  );
  const said = new Promise<string>((resolve) => {
    pipe.reader.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    // The end of a program that ended at once may be known before what came first.
    void exitCode.then(() => setTimeout(resolve, SAID_AFTER_END_MS, ''));
  });
  void said.then(() => {
    closeSync(pipe.writeEnd);
    pipe.reader.destroy();
    unlinkSync(path);
  });
  return {
    pid: terminal.pid,
    stdin: terminal.stdin,
    exitCode,
    outputEnd: output.copy(terminal.stdout, 'stdout'),
    said,
    resize: terminal.resize,
  };
}

interface Pipe {
  readonly reader: Socket;
  readonly writeEnd: number;
}

/**
 * Named pipes. Node's own pipes are sockets, and a program cannot open a socket by the name /dev/stdout, as access logs
 * of nginx and Envoy do.
 */
async function makePipes(paths: readonly string[]): Promise<void> {
  await runCommand('mkfifo', ['-m', '0666', ...paths]);
}

function openPipe(path: string): Pipe {
  const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeEnd = openSync(path, constants.O_WRONLY);
  return { reader: new Socket({ fd: readEnd, readable: true, writable: false }), writeEnd };
}
