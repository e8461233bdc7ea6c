import { spawn } from 'node:child_process';

/** A program of the machine that ended with an error, with what it wrote to stderr. */
class CommandError extends Error {
  constructor(program: string, args: readonly string[], outcome: string, stderr: string) {
    const detail = stderr.trim();
    super(`${program} ${args.join(' ')}: ${outcome}${detail === '' ? '' : `: ${detail}`}`);
    this.name = 'CommandError';
  }
}

/** Runs a program to its end, feeding it `input`; resolves with its stdout. Throws `CommandError` unless it exits 0. */
export function runCommand(program: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', (error) => reject(new CommandError(program, args, error.message, stderr)));
    child.on('close', (code, signal) => {
      if (code === 0) resolve(stdout);
      else reject(new CommandError(program, args, signal ?? `exit code ${code}`, stderr));
    });
    // A program that fails before it read its input closes the pipe; its exit code tells the story.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
