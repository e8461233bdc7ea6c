import type { Duplex } from 'node:stream';
import { DEFAULT_SERVER_TIMES } from '@aquifer/http';
import type { HttpVersion } from '../upstream/request-pool.ts';

type Protocol = HttpVersion | 'tcp';

/** What was found. What was read to find it is in the stream again, but for `early`, where the stream has ended. */
export interface Sniffed {
  readonly protocol: Protocol;
  readonly early: Buffer | null;
}

/** What the bytes so far are; null while they can still become one or the other. */
type Classify = (bytes: Buffer) => Protocol | null;

/**
 * A client that has not said so much that it can be told is taken for one whose server speaks first. Clients of HTTP
 * send the line of their request at once; servers that speak first have to wait for so long at an undeclared port.
 */
const DETECTION_TIMEOUT_MS = 1_000;

/** How long it is waited for a client that has said nothing, and for one that has begun; for that long in all if null. */
export interface Patience {
  readonly silentMs: number;
  readonly begunMs: number | null;
}

export const UNDECLARED: Patience = { silentMs: DETECTION_TIMEOUT_MS, begunMs: null };
/** As for any request on a connection of HTTP: a beginning is none of a preface for long. */
export const DECLARED: Patience = {
  silentMs: DEFAULT_SERVER_TIMES.connectionIdleMs,
  begunMs: DEFAULT_SERVER_TIMES.headMs,
};

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** A longer line that has not ended is none of HTTP. */
const MAX_LINE_BYTES = 16_384;

const WHOLE_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32} [\x21-\xff]+ HTTP\/1\.1\r?$/;
const METHOD_SO_FAR = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{0,32}$/;
const TARGET_SO_FAR = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32} [\x21-\xff]*$/;
const VERSION_SO_FAR =
  /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32} [\x21-\xff]+ (|H|HT|HTT|HTTP|HTTP\/|HTTP\/1|HTTP\/1\.|HTTP\/1\.1\r?)$/;

/**
 * At a port whose protocol is not declared. HTTP is a whole request line of version 1.1, or the preface of HTTP/2, as
 * Envoy's inspector wants it; HTTP/1.0 (spec l7 9.1, row 32) and everything else is passed through.
 */
export const classify: Classify = (bytes) => {
  if (beginsLikePreface(bytes)) return bytes.length >= PREFACE.length ? 'HTTP/2' : null;
  const newline = bytes.indexOf(0x0a);
  if (newline >= 0)
    return WHOLE_LINE.test(bytes.toString('latin1', 0, newline)) ? 'HTTP/1.1' : 'tcp';
  if (bytes.length > MAX_LINE_BYTES) return 'tcp';
  const line = bytes.toString('latin1');
  const isOpen = [METHOD_SO_FAR, TARGET_SO_FAR, VERSION_SO_FAR].some((part) => part.test(line));
  return isOpen ? null : 'tcp';
};

/** At a port that is declared as HTTP everything but the preface of HTTP/2 is taken for HTTP/1. */
export const classifyDeclared: Classify = (bytes) => {
  if (!beginsLikePreface(bytes)) return 'HTTP/1.1';
  return bytes.length >= PREFACE.length ? 'HTTP/2' : null;
};

function beginsLikePreface(bytes: Buffer): boolean {
  const length = Math.min(bytes.length, PREFACE.length);
  return bytes.subarray(0, length).equals(PREFACE.subarray(0, length));
}

/** Reads until the bytes can be told, the client ends, or the time is over; then, it is TCP. */
export function sniffProtocol(
  stream: Duplex,
  tell: Classify,
  { silentMs, begunMs }: Patience,
): Promise<Sniffed> {
  return new Promise((resolve) => {
    let early: Buffer | null = null;
    const settle = (protocol: Protocol): void => {
      clearTimeout(timer);
      stream.off('readable', onReadable);
      stream.off('end', onEnd);
      stream.off('close', onEnd);
      if (early !== null && !stream.readableEnded) {
        // At once: a stream that has nothing left to read says a moment later that it has ended.
        stream.unshift(early);
        early = null;
      }
      resolve({ protocol, early });
    };
    const onEnd = (): void => settle('tcp');
    const onReadable = (): void => {
      const chunk = stream.read() as Buffer | null;
      if (chunk === null) return;
      if (early === null && begunMs !== null) {
        clearTimeout(timer);
        timer = setTimeout(onEnd, begunMs);
      }
      early = early === null ? chunk : Buffer.concat([early, chunk]);
      const protocol = tell(early);
      if (protocol !== null) settle(protocol);
    };
    let timer = setTimeout(onEnd, silentMs);
    stream.on('readable', onReadable);
    stream.once('end', onEnd);
    stream.once('close', onEnd);
  });
}
