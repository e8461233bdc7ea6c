// hot path: every byte that leaves on an HTTP/1.1 connection
import type { Writable } from 'node:stream';
import { giveSlab, SLAB_BYTES, takeSlab } from '../sockets/slabs.ts';
import { atTurnEnd, type TurnListener } from '../sockets/turn.ts';
import type { BodyFraming, RawRequestHead, RawResponseHead } from './parse.ts';

/**
 * Pieces of a body up to this size leave as part of a string, since that needs no memory outside the heap: the stream
 * copies it to its stack and writes it at once. Larger pieces are copied to a slab.
 */
const MAX_TEXT_BYTES = 4096;
const LAST_CHUNK = '0\r\n\r\n';

/** Start line, fields and the empty line, in latin1. */
export function requestHeadText(
  head: Pick<RawRequestHead, 'method' | 'target' | 'headers'> & {
    /** What `host` says, first of all fields; null to leave it out. */
    readonly authority: string | null;
  },
): string {
  const { method, target, authority, headers } = head;
  const host = authority === null ? '' : `host: ${authority}\r\n`;
  return fieldsText(`${method} ${target} HTTP/1.1\r\n${host}`, headers);
}

export function responseHeadText(
  head: Pick<RawResponseHead, 'status' | 'reason' | 'headers'>,
): string {
  return fieldsText(`HTTP/1.1 ${head.status} ${head.reason}\r\n`, head.headers);
}

function fieldsText(startLine: string, headers: readonly string[]): string {
  let text = startLine;
  for (let i = 0; i < headers.length; i += 2) {
    // Piece by piece: a template would convert each to a string first.
    text += headers[i]!;
    text += ': ';
    text += headers[i + 1]!;
    text += '\r\n';
  }
  return `${text}\r\n`;
}

/** What would change how a message is read, or to whom it goes, has no place behind it (RFC 9110 section 6.5.1). */
const NOT_IN_TRAILERS = new Set([
  'connection',
  'content-length',
  'host',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

function trailersText(trailers: readonly string[]): string {
  const fields: string[] = [];
  for (let i = 0; i < trailers.length; i += 2) {
    if (!NOT_IN_TRAILERS.has(trailers[i]!)) fields.push(trailers[i]!, trailers[i + 1]!);
  }
  return fieldsText('0\r\n', fields);
}

/**
 * Writes one message at a time. What is small is gathered until `end` or `flush`, and leaves at the end of the turn of the
 * event loop, so that a small message is one write. Pieces of the body are copied; the caller may reuse them at once.
 * Always: a body of another length than its head promised destroys the stream, since the reader would take what comes
 * next for a part of it, or its rest for what comes next.
 */
export class MessageWriter implements TurnListener {
  readonly #stream: Writable;
  /** In latin1, as what follows: of the message, what may still grow. */
  #text = '';
  /** What goes out with this turn. */
  #leaving = '';
  #isScheduled = false;
  #isChunked = false;
  /** Bytes of the body that the head has promised and that have not come; infinite where it promised no number. */
  #promised = 0;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  /** Something is still to be given to the stream. */
  get isLeaving(): boolean {
    return this.#leaving !== '';
  }

  begin(head: string, framing: BodyFraming): void {
    this.#text = head;
    this.#isChunked = framing.kind === 'chunked';
    if (framing.kind === 'length') this.#promised = framing.bytes;
    else this.#promised = framing.kind === 'none' ? 0 : Number.POSITIVE_INFINITY;
  }

  /** False when the peer should be given time: wait for the stream's `drain`. */
  data(chunk: Buffer): boolean {
    // In chunks it would be the end.
    if (chunk.length === 0) return !this.#stream.writableNeedDrain;
    this.#promised -= chunk.length;
    if (this.#promised < 0) return this.#breakOff('more');
    if (this.#isChunked) this.#text += `${chunk.length.toString(16)}\r\n`;
    if (chunk.length <= MAX_TEXT_BYTES) this.#text += chunk.toString('latin1');
    else this.#copy(chunk);
    if (this.#isChunked) this.#text += '\r\n';
    if (this.#text.length > MAX_TEXT_BYTES) this.flush();
    return !this.#stream.writableNeedDrain;
  }

  /** Trailers are sent behind chunks, and nowhere else. */
  end(trailers: readonly string[] | null = null): void {
    if (this.#promised > 0 && this.#promised < Number.POSITIVE_INFINITY) this.#breakOff('less');
    if (this.#isChunked) this.#text += trailers === null ? LAST_CHUNK : trailersText(trailers);
    this.#isChunked = false;
    this.#promised = 0;
    this.flush();
  }

  /** Has what was gathered leave. */
  flush(): void {
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    this.whole(text);
  }

  /** A message that is complete as it is, between others. */
  whole(text: string): void {
    this.#leaving += text;
    if (this.#leaving.length > MAX_TEXT_BYTES) this.leave();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      atTurnEnd(this);
    }
  }

  onTurnEnd(): void {
    this.#isScheduled = false;
    this.leave();
  }

  /** Gives the stream what is to leave, before it is ended. */
  leave(): void {
    if (this.#leaving === '') return;
    const text = this.#leaving;
    this.#leaving = '';
    if (this.#stream.writable) this.#stream.write(text, 'latin1');
  }

  #breakOff(what: 'more' | 'less'): false {
    this.#text = '';
    this.leave();
    this.#stream.destroy(new Error(`${what} body than its head promised`));
    return false;
  }

  /** Slab by slab, the first beginning with what was gathered; while the peer is slow, to memory of its size. */
  #copy(chunk: Buffer): void {
    if (this.#stream.writableLength > 0) {
      this.flush();
      this.leave();
      this.#stream.write(Buffer.from(chunk));
      return;
    }
    this.#leaving += this.#text;
    this.#text = '';
    if (this.#leaving.length + chunk.length > SLAB_BYTES) this.leave();
    for (let at = 0; at < chunk.length; ) {
      const slab = takeSlab();
      const start = slab.write(this.#leaving, 'latin1');
      this.#leaving = '';
      const length = Math.min(chunk.length - at, SLAB_BYTES - start);
      slab.set(chunk.subarray(at, at + length), start);
      at += length;
      this.#stream.write(slab.subarray(0, start + length), () => giveSlab(slab));
    }
  }
}
