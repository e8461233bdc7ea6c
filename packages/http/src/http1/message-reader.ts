// hot path: every byte that arrives on an HTTP/1.1 connection
import type { HeaderList } from '../headers.ts';
import { badRequest, type HttpProblem } from '../problem.ts';
import { type BodyFraming, MAX_HEAD_BYTES, type Parsed, parseFields } from './parse.ts';

const CR = 0x0d;
const LF = 0x0a;
const TAB = 0x09;
const SPACE = 0x20;
const DELETE = 0x7f;
/** Of its bodies a peer may send so many pieces before others come first. */
export const PIECES_AT_ONCE = 1_000;
const MAX_CHUNK_LINE_BYTES = 256;
const MAX_SIZE_DIGITS = 12;
/** By byte: what it is worth as a hexadecimal digit; -1 if it is none. */
const DIGITS = Int8Array.from({ length: 256 }, (_, byte) => {
  const value = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(value) ? -1 : value;
});
const CHUNK_SIZE = /^([0-9a-fA-F]{1,12})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?$/;
/** CR LF CR LF. */
const HEAD_END_BYTES = 4;
const NO_TRAILERS: HeaderList = [];

/** Receives one message after another. Nothing arrives between `onEnd` and the next call of `next`. */
export interface MessageHandler<Head> {
  /** Says how the body ends, or refuses the message. */
  onHead(head: Head): Parsed<BodyFraming | { readonly kind: 'raw' }>;
  /** The bytes may be reused once this returns. */
  onData(chunk: Buffer): void;
  onEnd(trailers: HeaderList): void;
  /** The connection cannot be read any further. */
  onProblem(problem: HttpProblem): void;
}

/**
 * ```
 * head ─► length ─────────────────────────────► done ─next()─► head
 *   ├───► chunk-size ─► chunk-data ─► chunk-end     ▲
 *   │         └── size 0 ─► trailers ───────────────┤
 *   ├───► until-close ── end of stream ─────────────┘
 *   └───► raw: everything that follows is data, for ever (upgrades)
 * ```
 */
type State =
  | 'head'
  | 'length'
  | 'chunk-size'
  | 'chunk-data'
  | 'chunk-end'
  | 'trailers'
  | 'until-close'
  | 'raw'
  | 'done'
  | 'failed';

/** Splits a byte stream into HTTP/1.1 messages, strictly (RFC 9112; spec l7 3.10). */
export class MessageReader<Head> {
  readonly #parseHead: (text: string) => Parsed<Head>;
  readonly #handler: MessageHandler<Head>;
  #state: State = 'head';
  #pending: Buffer | null = null;
  /** Memory of our own whose last bytes are `pending`, with room behind them; null while `pending` is what was read. */
  #store: Buffer | null = null;
  #storeEnd = 0;
  /** Bytes of `pending` in which the end of the head was looked for. */
  #scanned = 0;
  #left = 0;
  #isReading = false;
  #ended = false;
  #pieces = 0;

  constructor(parseHead: (text: string) => Parsed<Head>, handler: MessageHandler<Head>) {
    this.#parseHead = parseHead;
    this.#handler = handler;
  }

  /** True between messages, with no byte of the next one read. */
  get isIdle(): boolean {
    return this.#state === 'head' && this.#pending === null;
  }

  /** True while bytes of the next message wait for `next`. */
  get isHoldingBack(): boolean {
    return this.#state === 'done' && this.#pending !== null;
  }

  /** Of bodies, how many have been handed on: of what comes in chunks, one for each, however small. */
  get pieces(): number {
    return this.#pieces;
  }

  /** True while a message is under way that the end of the stream would cut. */
  get isIncomplete(): boolean {
    return this.#state !== 'done' && this.#state !== 'failed' && !this.isIdle;
  }

  /** The bytes may be reused once this returns, and are handed on under the same condition. */
  push(chunk: Buffer): void {
    if (this.#pending === null) {
      this.#pending = chunk;
      this.#store = null;
    } else this.#append(this.#pending, chunk);
    this.#read();
    if (this.#store === null && this.#pending !== null) {
      this.#pending = Buffer.from(this.#pending);
      this.#store = this.#pending;
      this.#storeEnd = this.#pending.length;
    }
  }

  /** Twice as much room whenever it is too little: a head that comes byte by byte is not copied for every byte. */
  #append(pending: Buffer, chunk: Buffer): void {
    const bytes = pending.length + chunk.length;
    if (this.#store === null || this.#store.length - this.#storeEnd < chunk.length) {
      this.#store = Buffer.allocUnsafe(2 * bytes);
      this.#storeEnd = pending.copy(this.#store);
    }
    this.#storeEnd += chunk.copy(this.#store, this.#storeEnd);
    this.#pending = this.#store.subarray(this.#storeEnd - bytes, this.#storeEnd);
  }

  /** The message that ended is dealt with; the next one may be read. */
  next(): void {
    if (this.#state !== 'done') return;
    this.#state = 'head';
    if (this.#pending !== null) this.#read();
    else if (this.#ended) this.finish();
  }

  /** The stream ended. A body that lasts until then is complete; any other message is cut. */
  finish(): void {
    this.#ended = true;
    if (this.#state === 'until-close' || this.#state === 'raw') {
      this.#state = 'done';
      this.#handler.onEnd(NO_TRAILERS);
    } else if (this.isIncomplete) {
      this.#fail(badRequest('connection ended within a message'));
    }
  }

  #read(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#pending !== null && this.#step(this.#pending));
    this.#isReading = false;
  }

  /** Consumes what it can; false when more bytes, or `next`, are needed. */
  #step(bytes: Buffer): boolean {
    switch (this.#state) {
      case 'head':
        return this.#readHead(bytes);
      case 'length':
        return this.#readLength(bytes);
      case 'chunk-size':
        return this.#readChunkSize(bytes);
      case 'chunk-data':
        return this.#readChunkData(bytes);
      case 'chunk-end':
        return this.#readChunkEnd(bytes);
      case 'trailers':
        return this.#readTrailers(bytes);
      case 'until-close':
      case 'raw':
        this.#pending = null;
        this.#handler.onData(bytes);
        return false;
      case 'done':
      case 'failed':
        return false;
    }
  }

  #readHead(bytes: Buffer): boolean {
    // Empty lines before a request line are to be ignored (RFC 9112 2.2).
    if (bytes.length >= 2 && bytes[0] === CR && bytes[1] === LF) return this.#consume(bytes, 2);
    const end = endOfHead(bytes, this.#scanned);
    if (end < 0 || end > MAX_HEAD_BYTES) {
      if (bytes.length <= MAX_HEAD_BYTES) return this.#waitForEnd(bytes);
      return this.#fail({
        status: 431,
        details: 'http1.headers_too_large',
        message: `head of more than ${MAX_HEAD_BYTES} bytes`,
      });
    }
    const parsed = this.#parseHead(bytes.toString('latin1', 0, end));
    this.#consume(bytes, end + HEAD_END_BYTES);
    if (!parsed.ok) return this.#fail(parsed.error);
    const framing = this.#handler.onHead(parsed.value);
    if (!framing.ok) return this.#fail(framing.error);
    return this.#beginBody(framing.value);
  }

  #beginBody(framing: BodyFraming | { readonly kind: 'raw' }): boolean {
    switch (framing.kind) {
      case 'none':
        return this.#end(NO_TRAILERS);
      case 'length':
        this.#left = framing.bytes;
        this.#state = 'length';
        return true;
      case 'chunked':
        this.#state = 'chunk-size';
        return true;
      case 'until-close':
      case 'raw':
        this.#state = framing.kind;
        return true;
    }
  }

  #readLength(bytes: Buffer): boolean {
    const isLast = bytes.length >= this.#left;
    const chunk = bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes;
    this.#consume(bytes, chunk.length);
    this.#left -= chunk.length;
    this.#handler.onData(chunk);
    return isLast ? this.#end(NO_TRAILERS) : true;
  }

  #readChunkSize(bytes: Buffer): boolean {
    const end = bytes.indexOf(LF);
    if (end < 0) {
      if (bytes.length <= MAX_CHUNK_LINE_BYTES) return false;
      return this.#fail(badRequest('chunk size line too long'));
    }
    if (end === 0 || end > MAX_CHUNK_LINE_BYTES || bytes[end - 1] !== CR) {
      return this.#fail(badRequest('malformed chunk size line'));
    }
    const size = plainSize(bytes, end - 1) ?? sizeWithExtension(bytes, end - 1);
    if (size === null) return this.#fail(badRequest('malformed chunk size'));
    this.#left = size;
    this.#state = this.#left === 0 ? 'trailers' : 'chunk-data';
    return this.#consume(bytes, end + 1);
  }

  #readChunkData(bytes: Buffer): boolean {
    const isLast = bytes.length >= this.#left;
    const chunk = bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes;
    this.#consume(bytes, chunk.length);
    this.#left -= chunk.length;
    if (isLast) this.#state = 'chunk-end';
    this.#pieces += 1;
    this.#handler.onData(chunk);
    return true;
  }

  #readChunkEnd(bytes: Buffer): boolean {
    if (bytes.length < 2) return false;
    if (bytes[0] !== CR || bytes[1] !== LF)
      return this.#fail(badRequest('chunk longer than its size'));
    this.#state = 'chunk-size';
    return this.#consume(bytes, 2);
  }

  #readTrailers(bytes: Buffer): boolean {
    if (bytes.length >= 2 && bytes[0] === CR && bytes[1] === LF) {
      this.#consume(bytes, 2);
      return this.#end(NO_TRAILERS);
    }
    const end = endOfHead(bytes, this.#scanned);
    if (end < 0) {
      if (bytes.length <= MAX_HEAD_BYTES) return this.#waitForEnd(bytes);
      return this.#fail(badRequest('trailers too long'));
    }
    const trailers = parseFields(bytes.toString('latin1', 0, end), 0);
    this.#consume(bytes, end + HEAD_END_BYTES);
    return trailers.ok ? this.#end(trailers.value) : this.#fail(trailers.error);
  }

  /** Whoever ends lines in another way waits for an answer: what no head can hold is refused before its end. */
  #waitForEnd(bytes: Buffer): false {
    const problem = findBadByte(bytes, this.#scanned);
    this.#scanned = bytes.length;
    return problem === null ? false : this.#fail(problem);
  }

  #consume(bytes: Buffer, count: number): true {
    this.#scanned = 0;
    this.#pending = count === bytes.length ? null : bytes.subarray(count);
    return true;
  }

  /** The handler may call `next` at once, so the state changes first. */
  #end(trailers: HeaderList): boolean {
    this.#state = 'done';
    this.#handler.onEnd(trailers);
    return this.#state !== 'done';
  }

  #fail(problem: HttpProblem): false {
    this.#state = 'failed';
    this.#pending = null;
    this.#handler.onProblem(problem);
    return false;
  }
}

/** Of a line that is nothing but digits, as nearly all are. */
function plainSize(bytes: Buffer, end: number): number | null {
  if (end === 0 || end > MAX_SIZE_DIGITS) return null;
  let size = 0;
  for (let at = 0; at < end; at++) {
    const digit = DIGITS[bytes[at]!]!;
    if (digit < 0) return null;
    size = 16 * size + digit;
  }
  return size;
}

function sizeWithExtension(bytes: Buffer, end: number): number | null {
  const [, size] = CHUNK_SIZE.exec(bytes.toString('latin1', 0, end)) ?? [];
  return size === undefined ? null : Number.parseInt(size, 16);
}

/**
 * Where the empty line begins that ends a head; -1 without one. Up to `scanned` there is none. Takes a third of the time
 * of `indexOf` (November 2026).
 */
function endOfHead(bytes: Buffer, scanned: number): number {
  // Every second byte: of CR LF CR LF these are both CR or both LF.
  for (let at = Math.max(1, scanned - HEAD_END_BYTES + 1); at < bytes.length; at += 2) {
    const start = bytes[at] === LF ? at - 1 : at;
    if (bytes[start] === CR && isHeadEnd(bytes, start)) return start;
  }
  return -1;
}

function isHeadEnd(bytes: Buffer, start: number): boolean {
  return bytes[start + 1] === LF && bytes[start + 2] === CR && bytes[start + 3] === LF;
}

/** In a head that has not ended. Up to `scanned` there is none, unless it is the last byte: a CR that no LF follows. */
function findBadByte(bytes: Buffer, scanned: number): HttpProblem | null {
  for (let at = Math.max(0, scanned - 1); at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte >= SPACE && byte !== DELETE) continue;
    const problem = problemOfControl(bytes, at);
    if (problem !== null) return problem;
  }
  return null;
}

/** Line breaks are CR LF and nothing else, and there are no other control characters but tabs. */
function problemOfControl(bytes: Buffer, at: number): HttpProblem | null {
  switch (bytes[at]) {
    case TAB:
      return null;
    case LF:
      return bytes[at - 1] === CR ? null : badRequest('bare line feed');
    case CR:
      return at + 1 === bytes.length || bytes[at + 1] === LF
        ? null
        : badRequest('bare carriage return');
    default:
      return badRequest('control character', 'http1.invalid_characters');
  }
}
