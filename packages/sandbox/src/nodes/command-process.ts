/** Entry of the process that starts programs for `runCommand` and `runLimited`, and answers what became of them. */
import { spawn } from 'node:child_process';

/** What it is sent. */
export interface CommandQuestion {
  readonly id: number;
  readonly program: string;
  readonly args: readonly string[];
  /** What the program reads. */
  readonly input: string;
  /** Null is that of the sandbox itself. */
  readonly env: Readonly<Record<string, string>> | null;
  /** Then the program is killed; null lets it run. */
  readonly timeoutMs: number | null;
  /** Of each of its outputs no more is kept; null keeps all, also what programs write that outlive it. */
  readonly mostChars: number | null;
}

/** What it answers, in any order. */
export interface CommandAnswer {
  readonly id: number;
  /** Null if a signal ended it, or it could not be started. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Why it could not be started. */
  readonly failure: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run({ id, program, args, input, env, timeoutMs, mostChars }: CommandQuestion): void {
  const child = spawn(program, args, {
    stdio: 'pipe',
    ...(env !== null && { env }),
    ...(timeoutMs !== null && { timeout: timeoutMs, killSignal: 'SIGKILL' as const }),
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      if (said[name].length < (mostChars ?? Number.POSITIVE_INFINITY)) said[name] += text;
    });
  }
  let failure: string | null = null;
  const answer = (exitCode: number | null, signal: string | null): void => {
    process.send?.({ id, exitCode, signal, failure, ...said } satisfies CommandAnswer);
  };
  child.once('error', ({ message }) => {
    failure = message;
    // Whoever was not started has no end.
    if (mostChars !== null) answer(null, null);
  });
  child.once(mostChars === null ? 'close' : 'exit', answer);
  // A program that fails before it read its input closes the pipe; its exit code tells the story.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
}

process.on('message', run);
process.on('disconnect', () => process.exit());
