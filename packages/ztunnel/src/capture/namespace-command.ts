import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { NetworkNamespace } from './netns.ts';

/** `nft` and `ip` take milliseconds; one that hangs must not hold up what comes after it. */
const TIME_LIMIT_MS = 10_000;

/** Runs a shell script inside a namespace. Throws what it wrote to stderr if it fails, or does not end in time. */
export async function runInNamespace(
  namespace: NetworkNamespace,
  script: string,
  input: string,
): Promise<void> {
  const path = `/proc/${process.pid}/fd/${namespace.fd}`;
  const child = spawn('nsenter', [`--net=${path}`, 'sh', '-c', script], {
    stdio: ['pipe', 'ignore', 'pipe'],
    // A process group, so that what the shell started can be ended with it.
    detached: true,
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const exit = Promise.withResolvers<number | null>();
  child.once('error', exit.reject);
  child.once('close', exit.resolve);
  const timer = setTimeout(() => {
    exit.reject(new Error(`no end after ${TIME_LIMIT_MS / 1000} s`));
    endGroup(child.pid);
  }, TIME_LIMIT_MS);
  const errors = text(child.stderr).catch(() => '');
  try {
    const code = await exit.promise;
    if (code !== 0) throw new Error((await errors).trim() || `exit ${code}`);
  } finally {
    clearTimeout(timer);
  }
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}
