import { type ChildProcess, spawn } from 'node:child_process';
import type { Kubectl } from './kubectl.ts';

/**
 * Sends a line every 50 ms and wants each back, until its input ends. Prints `open` once, then `kept LINES`, or
 * `cut MILLISECONDS REASON` with the time at which the connection broke.
 */
const HOLD = `
import select, socket, sys, time
s = socket.create_connection(('server.shop', 9090), 5)
s.settimeout(5)
lines = 0
try:
    while True:
        line = b'line %d\\n' % lines
        s.sendall(line)
        back = b''
        while len(back) < len(line):
            chunk = s.recv(len(line) - len(back))
            if not chunk: raise ConnectionError('closed by the other side')
            back += chunk
        if back != line: raise ConnectionError('other bytes came back')
        lines += 1
        if lines == 1: print('open', flush=True)
        if select.select([sys.stdin], [], [], 0.05)[0]: break
    print('kept', lines, flush=True)
except Exception as e:
    print('cut', int(time.time() * 1000), e, flush=True)
`;

/** A TCP connection that a pod keeps open to the echo server, always talking. */
export class HeldConnection implements Disposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #output = '';

  private constructor(kubectl: Kubectl, namespace: string, target: string) {
    const command = ['exec', '-i', '-n', namespace, target, '--', 'python3', '-u', '-c', HOLD];
    this.#child = spawn('kubectl', command, { env: kubectl.env, stdio: 'pipe' });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    }
    this.#child.stdin?.on('error', () => undefined);
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', () => resolve());
    });
  }

  /** Resolves once the first line came back. Throws with what happened instead. */
  static async open(kubectl: Kubectl, namespace: string, target: string): Promise<HeldConnection> {
    const held = new HeldConnection(kubectl, namespace, target);
    const opened = new Promise<void>((resolve) => {
      held.#child.stdout?.on('data', () => {
        if (held.#output.includes('open')) resolve();
      });
    });
    await Promise.race([opened, held.#ended]);
    if (!held.#output.includes('open')) throw new Error(`no connection: ${held.#output.trim()}`);
    return held;
  }

  /** Ends the connection; how many lines came back. Throws if it was cut before. */
  async finish(): Promise<number> {
    this.#child.stdin?.end();
    await this.#ended;
    const [, lines] = /kept (\d+)/.exec(this.#output) ?? [];
    if (lines === undefined) throw new Error(`the connection broke: ${this.#output.trim()}`);
    return Number(lines);
  }

  /** When it was cut, in ms since the epoch; null if it still talks after so many ms. */
  async cutAtMs(withinMs: number): Promise<number | null> {
    const timer = setTimeout(() => this.#child.stdin?.end(), withinMs);
    await this.#ended;
    clearTimeout(timer);
    const [, at] = /cut (\d+)/.exec(this.#output) ?? [];
    return at === undefined ? null : Number(at);
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}
