// hot path: every byte that leaves on an HTTP/1.1 connection
import type { Writable } from 'node:stream';
import type { BodyFraming, RequestHead, ResponseHead } from './parse.ts';

const CRLF = Buffer.from('\r\n');
const LAST_CHUNK = Buffer.from('0\r\n\r\n');
/** A head and a body up to this size leave in one write. */
const GATHER_BYTES = 16 * 1024;

/** Start line, fields and the empty line, in latin1. */
export function requestHeadText(head: Pick<RequestHead, 'method' | 'target' | 'headers'>): string {
  return fieldsText(`${head.method} ${head.target} HTTP/1.1\r\n`, head.headers);
}

export function responseHeadText(
  head: Pick<ResponseHead, 'status' | 'reason' | 'headers'>,
): string {
  return fieldsText(`HTTP/1.1 ${head.status} ${head.reason}\r\n`, head.headers);
}

function fieldsText(startLine: string, headers: readonly string[]): string {
  let text = startLine;
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]!}: ${headers[i + 1]!}\r\n`;
  return `${text}\r\n`;
}

/**
 * Writes one message at a time. The head waits for the first piece of the body, so that a small message is one
 * write; `flush` sends it alone.
 */
export class MessageWriter {
  readonly #stream: Writable;
  #head: string | null = null;
  #isChunked = false;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  begin(head: string, framing: BodyFraming): void {
    this.#head = head;
    this.#isChunked = framing.kind === 'chunked';
  }

  /** False when the peer should be given time: wait for the stream's `drain`. */
  data(chunk: Buffer): boolean {
    const head = this.#head;
    if (head !== null && !this.#isChunked && head.length + chunk.length <= GATHER_BYTES) {
      this.#head = null;
      const message = Buffer.allocUnsafe(head.length + chunk.length);
      message.write(head, 0, 'latin1');
      chunk.copy(message, head.length);
      return this.#stream.write(message);
    }
    if (!this.#isChunked) {
      this.flush();
      return this.#stream.write(chunk);
    }
    this.#stream.cork();
    this.flush();
    this.#stream.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
    this.#stream.write(chunk);
    const hasRoom = this.#stream.write(CRLF);
    this.#stream.uncork();
    return hasRoom;
  }

  end(): void {
    if (this.#isChunked) {
      this.#stream.cork();
      this.flush();
      this.#stream.write(LAST_CHUNK);
      this.#stream.uncork();
      this.#isChunked = false;
    } else this.flush();
  }

  flush(): void {
    if (this.#head === null) return;
    this.#stream.write(this.#head, 'latin1');
    this.#head = null;
  }
}
