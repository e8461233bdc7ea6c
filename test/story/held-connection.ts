import type { Kubectl } from './kubectl.ts';
import { PodProgram, type PodTarget } from './pod-program.ts';

/**
 * Sends a line every 50 ms and wants each back, until its input ends. Prints `open` once, then `kept LINES MILLISECONDS`
 * with the longest time that one took, or `cut MILLISECONDS REASON` with the time at which the connection broke.
 */
const HOLD = `
import select, socket, sys, time
s = socket.create_connection(('server.shop', 9090), 5)
s.settimeout(5)
lines, slowest = 0, 0.0
try:
    while True:
        line = b'line %d\\n' % lines
        began = time.monotonic()
        s.sendall(line)
        back = b''
        while len(back) < len(line):
            chunk = s.recv(len(line) - len(back))
            if not chunk: raise ConnectionError('closed by the other side')
            back += chunk
        if back != line: raise ConnectionError('other bytes came back')
        lines += 1
        slowest = max(slowest, time.monotonic() - began)
        if lines == 1: print('open', flush=True)
        if select.select([sys.stdin], [], [], 0.05)[0]: break
    print('kept', lines, round(slowest * 1000), flush=True)
except Exception as e:
    print('cut', int(time.time() * 1000), e, flush=True)
`;

/** What came back on a connection. */
export interface HeldLines {
  readonly lines: number;
  /** The longest that one took: how busy the machine is. */
  readonly slowestAnswerMs: number;
}

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

  /** Ends the connection; what came back. Throws if it was cut before. */
  async finish(): Promise<HeldLines> {
    this.#program.finish();
    const output = await this.#program.output();
    const [, lines, slowest] = /kept (\d+) (\d+)/.exec(output) ?? [];
    if (lines === undefined) throw new Error(`the connection broke: ${output.trim()}`);
    return { lines: Number(lines), slowestAnswerMs: Number(slowest) };
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
