import { printable } from './printable.ts';

/** Steps of a command that takes long: one line each, with its outcome and time. Written to standard error. */
export class Progress {
  readonly #write: (text: string) => void;
  readonly #isTerminal: boolean;

  constructor(stream: { write(text: string): unknown; readonly isTTY?: boolean }) {
    this.#write = (text) => void stream.write(text);
    this.#isTerminal = stream.isTTY ?? false;
  }

  /** A line of advice. */
  note(text: string): void {
    this.#write(printable(`${text}\n`));
  }

  /** Runs a step; its failure is shown and thrown on. */
  async step<T>(title: string, action: () => Promise<T>): Promise<T> {
    if (this.#isTerminal) this.#write(`  … ${title}`);
    const startedAtMs = performance.now();
    const finish = (mark: string): void => {
      const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
      const clear = this.#isTerminal ? '\r\u001b[K' : '';
      this.#write(`${clear}  ${mark} ${title} (${seconds} s)\n`);
    };
    try {
      const result = await action();
      finish('✔');
      return result;
    } catch (error) {
      finish('✘');
      throw error;
    }
  }
}
