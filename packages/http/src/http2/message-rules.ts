// hot path: every header list that arrives

/** Names that may stand in a field: tokens without upper case (RFC 9113 section 8.2.1). */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** CR, LF and NUL split messages wherever they get through, and HTTP/1.1 has none of the other controls either. */
const FORBIDDEN_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
/** In a line of HTTP/1.1, a method, path or host with others would be a line of other parts. */
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const FORBIDDEN_IN_PATH = /[^\x21-\x7e]|#/;
const FORBIDDEN_IN_AUTHORITY = /[^\x21-\x7e]|[,/@]/;

const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

const CONNECTION_LENGTHS: readonly (true | undefined)[] = lengths(CONNECTION_SPECIFIC);

function lengths(names: ReadonlySet<string>): (true | undefined)[] {
  const found: (true | undefined)[] = Array.from({ length: 20 }, () => undefined);
  for (const { length } of names) found[length] = true;
  return found;
}

const PSEUDO_OF_REQUEST: ReadonlySet<string> = new Set([
  ':method',
  ':scheme',
  ':authority',
  ':path',
  ':protocol',
]);

type Kind = 'request' | 'response' | 'trailers';

/** A field of one HTTP/1.1 hop, which HTTP/2 does not have. */
export function isConnectionSpecific(name: string): boolean {
  // Most names are told by their length, without being hashed.
  return CONNECTION_LENGTHS[name.length] === true && CONNECTION_SPECIFIC.has(name);
}

/** Why a header list is malformed (RFC 9113 sections 8.2 and 8.3, spec l7 3.10); null if it is fine. */
function findMalformed(headers: readonly string[], kind: Kind): string | null {
  let pseudoEnd = 0;
  while (pseudoEnd < headers.length && headers[pseudoEnd]!.startsWith(':')) pseudoEnd += 2;
  for (let i = 0; i < headers.length; i += 2) {
    const problem =
      i < pseudoEnd ? checkPseudo(headers, i, kind) : checkRegular(headers[i]!, headers[i + 1]!);
    if (problem !== null) return problem;
  }
  if (kind === 'trailers') return null;
  return kind === 'request'
    ? checkRequest(headers, pseudoEnd)
    : checkStatus(pseudoValue(headers, pseudoEnd, ':status'));
}

function checkRegular(name: string, value: string): string | null {
  if (!NAME.test(name)) return `field name ${JSON.stringify(name)}`;
  if (isConnectionSpecific(name)) return `connection-specific field ${name}`;
  if (name === 'te' && value !== 'trailers') return 'te is not trailers';
  if (name === 'host' && FORBIDDEN_IN_AUTHORITY.test(value)) return 'host';
  return FORBIDDEN_IN_VALUE.test(value) ? `value of ${name}` : null;
}

function checkPseudo(headers: readonly string[], at: number, kind: Kind): string | null {
  const name = headers[at]!;
  const isKnown = kind === 'request' ? PSEUDO_OF_REQUEST.has(name) : name === ':status';
  if (kind === 'trailers' || !isKnown) return `pseudo-header ${name}`;
  for (let i = 0; i < at; i += 2) if (headers[i] === name) return `${name} twice`;
  const value = headers[at + 1]!;
  if (name === ':authority' && FORBIDDEN_IN_AUTHORITY.test(value)) return ':authority';
  return FORBIDDEN_IN_VALUE.test(value) ? `value of ${name}` : null;
}

function checkRequest(headers: readonly string[], pseudoEnd: number): string | null {
  const method = pseudoValue(headers, pseudoEnd, ':method');
  if (method === null || !METHOD.test(method)) return 'no :method';
  const isExtended = pseudoValue(headers, pseudoEnd, ':protocol') !== null;
  if (isExtended && method !== 'CONNECT') return ':protocol without CONNECT';
  if (method === 'CONNECT') {
    if (pseudoValue(headers, pseudoEnd, ':authority') === null) return 'CONNECT without :authority';
    if (!isExtended) return checkPlainConnect(headers, pseudoEnd);
  }
  if (!pseudoValue(headers, pseudoEnd, ':scheme')) return 'no :scheme';
  const path = pseudoValue(headers, pseudoEnd, ':path');
  if (!path) return 'no :path';
  return FORBIDDEN_IN_PATH.test(path) ? 'characters in :path' : null;
}

function checkPlainConnect(headers: readonly string[], pseudoEnd: number): string | null {
  const scheme = pseudoValue(headers, pseudoEnd, ':scheme');
  const path = pseudoValue(headers, pseudoEnd, ':path');
  return scheme !== null || path !== null ? 'CONNECT with :scheme or :path' : null;
}

function checkStatus(status: string | null): string | null {
  return status !== null && /^[1-9][0-9][0-9]$/.test(status) && status !== '101'
    ? null
    : `:status ${status}`;
}

/** The value of a pseudo-header; `end` is where the pseudo-headers end. */
function pseudoValue(headers: readonly string[], end: number, name: string): string | null {
  for (let i = 0; i < end; i += 2) if (headers[i] === name) return headers[i + 1]!;
  return null;
}

/**
 * Bytes of body that were promised; null if none were, NaN if the promise makes no sense (RFC 9110 section 8.6). To say
 * it twice makes none, even alike: of `10` and `010`, an HTTP/1.1 host behind may read another one than we do.
 */
export function contentLength(headers: readonly string[]): number | null {
  let length: number | null = null;
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'content-length') continue;
    const value = headers[i + 1]!;
    if (length !== null || !/^[0-9]{1,15}$/.test(value)) return Number.NaN;
    length = Number(value);
  }
  return length;
}

/** What is said of a header block beside its fields. */
interface BlockFacts {
  readonly isStreamEnd: boolean;
  readonly dependsOnItself: boolean;
}

interface RequestRules {
  /** Of `contentLength`. */
  readonly promisedBytes: number | null;
  /** This side has announced that it does (RFC 8441 section 3). */
  readonly takesExtendedConnect: boolean;
}

export function findRequestProblem(
  block: BlockFacts,
  headers: readonly string[],
  { promisedBytes, takesExtendedConnect }: RequestRules,
): string | null {
  if (block.dependsOnItself) return 'a stream depends on itself';
  if (!takesExtendedConnect && headers.includes(':protocol')) return 'pseudo-header :protocol';
  if (Number.isNaN(promisedBytes)) return 'content-length';
  if (block.isStreamEnd && (promisedBytes ?? 0) > 0) return 'no body, but content-length';
  return findMalformed(headers, 'request');
}

/** Trailers end the stream, an interim answer does not (RFC 9113 section 8.1). */
export function findAnswerProblem(
  block: BlockFacts,
  { headers, isTooLarge }: { readonly headers: readonly string[]; readonly isTooLarge: boolean },
  isTrailers: boolean,
): string | null {
  if (isTooLarge) return 'the header list is too large';
  if (block.dependsOnItself) return 'a stream depends on itself';
  const mustEnd = isTrailers && !block.isStreamEnd;
  const mustNotEnd = !isTrailers && block.isStreamEnd && isInterimAnswer(headers);
  if (mustEnd || mustNotEnd) return 'HEADERS where none may be';
  return findMalformed(headers, isTrailers ? 'trailers' : 'response');
}

export function isInterimAnswer(headers: readonly string[]): boolean {
  return headers[0] === ':status' && headers[1]!.startsWith('1');
}

/**
 * Bytes of body that an answer promises with its head: 0 where its status or the method allow none, null if it does not
 * say; NaN if what it says makes no sense.
 */
export function promisedByAnswer(
  headers: readonly string[],
  method: string,
  isStreamEnd: boolean,
): number | null {
  if (method === 'CONNECT' && headers[1]!.startsWith('2')) return isStreamEnd ? 0 : null;
  const isBodiless = method === 'HEAD' || headers[1] === '204' || headers[1] === '304';
  if (isBodiless) return 0;
  const promised = contentLength(headers);
  return isStreamEnd && promised === null ? 0 : promised;
}
