/** Reads messages of HTTP/1.1 for the harness's own peers: leniently, since what a proxy sent is to be told as it is. */

/** What has come of one message so far. */
export interface Http1Message {
  readonly startLine: string;
  /** Names in lower case, and values, in turn. */
  readonly fields: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[] | null;
  readonly isComplete: boolean;
  /** Bytes of it, if it is complete. */
  readonly length: number;
}

interface Framing {
  readonly body: string;
  readonly trailers: readonly string[] | null;
  readonly isComplete: boolean;
  readonly end: number;
}

/**
 * Null while the head is incomplete. `method` is that of the request which the message answers; null for a request.
 * `hasEnded` says that nothing more will come.
 */
export function readMessage(
  text: string,
  method: string | null,
  hasEnded: boolean,
): Http1Message | null {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const [startLine = '', ...lines] = text.slice(0, headEnd).split('\r\n');
  const fields = fieldsOf(lines);
  const at = headEnd + 4;
  const { body, trailers, isComplete, end } = readBody(text, at, {
    fields,
    isBodiless: method === null ? false : isBodiless(startLine, method),
    otherwise: method === null ? 'none' : hasEnded ? 'ended' : 'open',
  });
  return { startLine, fields, body, trailers, isComplete, length: end };
}

function fieldsOf(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
}

function isBodiless(startLine: string, method: string): boolean {
  const status = startLine.split(' ')[1] ?? '';
  return method === 'HEAD' || status === '204' || status === '304' || status.startsWith('1');
}

function readBody(
  text: string,
  at: number,
  about: {
    readonly fields: readonly string[];
    readonly isBodiless: boolean;
    /** How a message ends that says nothing about its length. */
    readonly otherwise: 'none' | 'open' | 'ended';
  },
): Framing {
  const { fields, otherwise } = about;
  if (about.isBodiless) return { body: '', trailers: null, isComplete: true, end: at };
  if (fieldOf(fields, 'transfer-encoding') !== null) return readChunks(text, at);
  const length = fieldOf(fields, 'content-length');
  if (length === null) {
    if (otherwise === 'none') return { body: '', trailers: null, isComplete: true, end: at };
    const isComplete = otherwise === 'ended';
    return { body: text.slice(at), trailers: null, isComplete, end: text.length };
  }
  const end = at + Number(length);
  return { body: text.slice(at, end), trailers: null, isComplete: text.length >= end, end };
}

function readChunks(text: string, start: number): Framing {
  let body = '';
  let at = start;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return { body, trailers: null, isComplete: false, end: text.length };
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (size === 0) return readTrailers(text, lineEnd + 2, body);
    body += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
    if (Number.isNaN(size) || at > text.length) {
      return { body, trailers: null, isComplete: false, end: text.length };
    }
  }
}

function readTrailers(text: string, at: number, body: string): Framing {
  if (text.startsWith('\r\n', at)) return { body, trailers: null, isComplete: true, end: at + 2 };
  const end = text.indexOf('\r\n\r\n', at);
  if (end < 0) return { body, trailers: null, isComplete: false, end: text.length };
  const trailers = fieldsOf(text.slice(at, end).split('\r\n'));
  return { body, trailers, isComplete: true, end: end + 4 };
}

/** The first value of a field. */
export function fieldOf(fields: readonly string[], name: string): string | null {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1]!;
  return null;
}
