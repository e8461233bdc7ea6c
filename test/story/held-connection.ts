import type { Kubectl } from './kubectl.ts';
import { PodProgram, type PodTarget } from './pod-program.ts';

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
  readonly #program: PodProgram;

  private constructor(program: PodProgram) {
    this.#program = program;
  }

  /** Resolves once the first line came back. Throws with what happened instead. */
  static async open(kubectl: Kubectl, pod: PodTarget): Promise<HeldConnection> {
    return new HeldConnection(
      await PodProgram.start(kubectl, pod, { program: [HOLD], saysFirst: 'open' }),
    );
  }

  /** Ends the connection; how many lines came back. Throws if it was cut before. */
  async finish(): Promise<number> {
    this.#program.finish();
    const output = await this.#program.output();
    const [, lines] = /kept (\d+)/.exec(output) ?? [];
    if (lines === undefined) throw new Error(`the connection broke: ${output.trim()}`);
    return Number(lines);
  }

  /** When it was cut, in ms since the epoch; null if it still talks after so many ms. */
  async cutAtMs(withinMs: number): Promise<number | null> {
    const timer = setTimeout(() => this.#program.finish(), withinMs);
    const output = await this.#program.output();
    clearTimeout(timer);
    const [, at] = /cut (\d+)/.exec(output) ?? [];
    return at === undefined ? null : Number(at);
  }

  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
  }
}
