/** What the demo prints: headings, what was typed, what came back, and a mark for each claim that was checked. */
const BOLD = '\u001b[1m';
const DIM = '\u001b[2m';
const GREEN = '\u001b[32m';
const RED = '\u001b[31m';
const RESET = '\u001b[0m';
const WIDTH = 116;

/** One part of the story. */
export interface Chapter {
  readonly title: string;
  /** How many claims it makes, so that none can be missing unnoticed. */
  readonly claims: number;
  readonly tell: () => Promise<void>;
}

export class Narrator {
  readonly #write: (text: string) => void;
  readonly #isTerminal: boolean;
  readonly #startedAtMs = performance.now();
  /** Claims that did not hold. */
  readonly failed: string[] = [];
  #claims = 0;

  constructor(stream: { write(text: string): unknown; readonly isTTY?: boolean }) {
    this.#write = (text) => void stream.write(`${text}\n`);
    this.#isTerminal = stream.isTTY ?? false;
  }

  /** Runs one part of the story under a heading. Claims that an exception left unmade have failed. */
  async chapter({ title, claims, tell }: Chapter): Promise<void> {
    this.#write(`\n${this.#paint(BOLD, title)}`);
    const startedAtMs = performance.now();
    const lastClaim = this.#claims + claims;
    let why = 'it made fewer claims than it announced';
    try {
      await tell();
    } catch (error) {
      why = (error as Error).message;
    }
    while (this.#claims < lastClaim) this.claim(`"${title}" broke off: ${why}`, false);
    this.#write(this.#paint(DIM, `  ${seconds(performance.now() - startedAtMs)} s`));
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
      this.#write(this.#paint(DIM, `  ${shown}`));
    }
    if (all.length > lines) this.#write(this.#paint(DIM, `  … ${all.length - lines} more lines`));
  }

  claim(text: string, holds: boolean): void {
    this.#claims += 1;
    if (!holds) this.failed.push(text);
    this.#write(
      holds ? `  ${this.#paint(GREEN, '✔')} ${text}` : `  ${this.#paint(RED, '✘')} ${text}`,
    );
  }

  /** The last line: how many claims held, in what time. */
  summary(): void {
    const held = this.#claims - this.failed.length;
    const total = seconds(performance.now() - this.#startedAtMs);
    this.#write(
      `\n${this.#paint(BOLD, `${held} of ${this.#claims} claims hold; ${total} s in all`)}`,
    );
    for (const text of this.failed) this.#write(`  ${this.#paint(RED, '✘')} ${text}`);
  }

  #paint(color: string, text: string): string {
    return this.#isTerminal ? `${color}${text}${RESET}` : text;
  }
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
