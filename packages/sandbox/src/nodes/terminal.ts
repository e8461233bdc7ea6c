import { PassThrough, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { spawn } from '@lydell/node-pty';
import { LAUNCH_ENVIRONMENT } from './container-launch.ts';

/** A program that leads a session of its own on a terminal. */
export interface Terminal {
  readonly pid: number;
  /** Its end is the character that a person types for it. */
  readonly stdin: Writable;
  readonly stdout: PassThrough;
  /** `signal` is 0 for a program that ended by itself. */
  readonly exited: Promise<{ readonly exitCode: number; readonly signal: number }>;
  /** Without effect once the program has ended. */
  resize(columns: number, rows: number): void;
}

export function startTerminal(program: string, args: readonly string[]): Terminal {
  const terminal = spawn(program, [...args], {
    name: 'xterm',
    cols: 80,
    rows: 24,
    cwd: '/',
    env: { ...LAUNCH_ENVIRONMENT },
    encoding: null,
  });
  const stdout = new PassThrough();
  terminal.onData((data: string | Buffer) => {
    if (!stdout.write(data)) {
      terminal.pause();
      stdout.once('drain', () => terminal.resume());
    }
  });
  const exited = new Promise<{ exitCode: number; signal: number }>((resolve) => {
    terminal.onExit(({ exitCode, signal = 0 }) => {
      stdout.end();
      resolve({ exitCode, signal });
    });
  });
  // A character may arrive in two pieces.
  const decoder = new StringDecoder('utf8');
  const stdin = new Writable({
    write(chunk: Buffer, _encoding, done) {
      terminal.write(decoder.write(chunk));
      done();
    },
    final(done) {
      terminal.write('\x04');
      done();
    },
  });
  return {
    pid: terminal.pid,
    stdin,
    stdout,
    exited,
    resize: (columns, rows) => {
      try {
        terminal.resize(columns, rows);
      } catch {
        // The program has ended, and its terminal with it.
      }
    },
  };
}
