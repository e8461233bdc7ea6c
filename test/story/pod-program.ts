import { type ChildProcess, spawn } from 'node:child_process';
import type { Kubectl } from './kubectl.ts';

/** Where a program runs: a pod, or a pod of a workload such as `deploy/client`. */
export interface PodTarget {
  readonly namespace: string;
  readonly target: string;
}

/** A Python program in a pod, which runs until its input ends. */
export class PodProgram implements Disposable {
  readonly #child: ChildProcess;
  /** Its exit code; null if a signal ended it. */
  readonly #ended: Promise<number | null>;
  #output = '';

  private constructor(
    kubectl: Kubectl,
    { namespace, target }: PodTarget,
    program: readonly string[],
  ) {
    const command = [
      'exec',
      '-i',
      '-n',
      namespace,
      target,
      '--',
      'python3',
      '-u',
      '-c',
      ...program,
    ];
    this.#child = spawn('kubectl', command, { env: kubectl.env, stdio: 'pipe' });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    }
    this.#child.stdin?.on('error', () => undefined);
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', resolve);
    });
  }

  /** Resolves once it has printed the word. Throws with what it printed instead. */
  static async start(
    kubectl: Kubectl,
    pod: PodTarget,
    { program, saysFirst }: { readonly program: readonly string[]; readonly saysFirst: string },
  ): Promise<PodProgram> {
    const started = new PodProgram(kubectl, pod, program);
    const hasSpoken = new Promise<void>((resolve) => {
      started.#child.stdout?.on('data', () => {
        if (started.#output.includes(saysFirst)) resolve();
      });
    });
    await Promise.race([hasSpoken, started.#ended]);
    if (!started.#output.includes(saysFirst)) {
      throw new Error(`did not start: ${started.#output.trim()}`);
    }
    return started;
  }

  /** Ends its input. */
  finish(): void {
    this.#child.stdin?.end();
  }

  /** Resolves when it has ended, to everything that it printed. */
  async output(): Promise<string> {
    await this.#ended;
    return this.#output;
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}
