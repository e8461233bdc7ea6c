/** Where one HTTP/1.1 answer ends: by its length, in chunks, or with the connection. */
export class AnswerReader {
  #text = '';

  /** Takes what has arrived, as latin1. Returns the answer once it is complete, else null. */
  read(text: string): { readonly status: number; readonly isLast: boolean } | null {
    this.#text += text;
    const end = this.#text.indexOf('\r\n\r\n');
    if (end < 0) return null;
    const head = this.#text.slice(0, end);
    const status = Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length));
    const bodyStart = end + 4;
    if (!this.#isComplete(head, bodyStart)) return null;
    this.#text = '';
    return { status, isLast: /^connection: close$/im.test(head) };
  }

  /** Forgets what was begun: the next answer comes on another connection. */
  reset(): void {
    this.#text = '';
  }

  #isComplete(head: string, bodyStart: number): boolean {
    if (/^transfer-encoding: chunked$/im.test(head)) return this.#hasLastChunk(bodyStart);
    const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
    return this.#text.length >= bodyStart + length;
  }

  #hasLastChunk(bodyStart: number): boolean {
    let at = bodyStart;
    for (;;) {
      const lineEnd = this.#text.indexOf('\r\n', at);
      if (lineEnd < 0) return false;
      const size = Number.parseInt(this.#text.slice(at, lineEnd), 16);
      // Trailers, if there are any, end with an empty line, too.
      if (size === 0) return this.#text.endsWith('\r\n\r\n');
      at = lineEnd + 2 + size + 2;
      if (at > this.#text.length) return false;
    }
  }
}
