import type { Verdict } from './telling.ts';

/** What of a story is printed: headings, what was typed, what came back, and a mark for each claim that was checked. */
const BOLD = '\u001b[1m';
const DIM = '\u001b[2m';
const GREEN = '\u001b[32m';
const RED = '\u001b[31m';
const RESET = '\u001b[0m';
const WIDTH = 116;

export class Narrator {
  readonly #write: (text: string) => void;
  readonly #isTerminal: boolean;

  constructor(stream: { write(text: string): unknown; readonly isTTY?: boolean }) {
    this.#write = (text) => void stream.write(`${text}\n`);
    this.#isTerminal = stream.isTTY ?? false;
  }

  chapter(title: string, says: string): void {
    this.#write(`\n${this.#paint(BOLD, title)}`);
    for (const line of says.split('\n')) this.#write(`  ${line}`);
  }

  typed(command: string): void {
    const [first, ...rest] = command.trimEnd().split('\n');
    this.#write(`  ${this.#paint(BOLD, `$ ${first}`)}`);
    for (const line of rest) this.#write(`  ${line}`);
  }

  /** At most `lines` lines of it, each cut to the width of a page. */
  cameBack(text: string, lines = 8): void {
    const all = text.trimEnd().split('\n');
    for (const line of all.slice(0, lines)) {
      const shown = line.length > WIDTH ? `${line.slice(0, WIDTH - 1)}…` : line;
      this.#write(this.#paint(DIM, `  ${shown}`.trimEnd()));
    }
    if (all.length > lines) this.#write(this.#paint(DIM, `  … ${all.length - lines} more lines`));
  }

  claim({ claim, shown, problem }: Verdict): void {
    const [color, mark] = problem === null ? [GREEN, '✔'] : [RED, '✘'];
    const found = shown === null ? '' : ` (${shown})`;
    this.#write(`  ${this.#paint(color, mark)} ${claim}${found}`);
    if (problem !== null) this.cameBack(problem);
  }

  chapterEnded(seconds: number): void {
    this.#write(this.#paint(DIM, `  ${seconds.toFixed(1)} s`));
  }

  /** The last lines: how many claims hold, in what time, and which do not. */
  summary(verdicts: readonly Verdict[], seconds: number): void {
    const failed = verdicts.filter(({ problem }) => problem !== null);
    const held = verdicts.length - failed.length;
    const total = `${held} of ${verdicts.length} claims hold; ${seconds.toFixed(1)} s in all`;
    this.#write(`\n${this.#paint(BOLD, total)}`);
    for (const verdict of failed) this.claim(verdict);
  }

  #paint(color: string, text: string): string {
    return this.#isTerminal ? `${color}${text}${RESET}` : text;
  }
}
