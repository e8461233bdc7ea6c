import { closeSync, openSync, readSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Access lines of one proxy, by the port of the client that they are about. */
export class AccessLines {
  readonly #file: number;
  readonly #byPort = new Map<string, string[]>();
  readonly #buffer = Buffer.alloc(256 * 1024);
  #rest = '';

  constructor(logFile: string) {
    this.#file = openSync(logFile, 'r');
  }

  /** Resolves with so many lines about a client, or fewer if no more come in time. Its port is free for another then. */
  async take(port: number, count: number): Promise<string[]> {
    const key = `127.0.0.1:${port}`;
    for (let left = 60; left > 0; left--) {
      this.#read();
      if ((this.#byPort.get(key)?.length ?? 0) >= count) break;
      await delay(10);
    }
    const lines = this.#byPort.get(key) ?? [];
    this.#byPort.delete(key);
    return lines;
  }

  close(): void {
    closeSync(this.#file);
  }

  #read(): void {
    for (;;) {
      const length = readSync(this.#file, this.#buffer);
      if (length === 0) return;
      const lines = (this.#rest + this.#buffer.toString('latin1', 0, length)).split('\n');
      this.#rest = lines.pop()!;
      for (const line of lines) {
        const at = line.indexOf(' ');
        const key = line.slice(0, at);
        this.#byPort.set(key, [...(this.#byPort.get(key) ?? []), line.slice(at + 1)]);
      }
    }
  }
}
