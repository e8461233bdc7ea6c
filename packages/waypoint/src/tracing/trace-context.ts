// hot path: every request that is traced
/** Contexts of traces as headers carry them: B3 (openzipkin/b3-propagation) and W3C Trace Context. */
import { randomBytes } from 'node:crypto';
import { getHeader, type HeaderList, removeHeader, setHeader } from '@aquifer/http';

/** A place in a trace. Ids are hexadecimal digits in lower case. */
export interface TraceContext {
  /** 16 or 32 digits. */
  readonly traceId: string;
  /** 16 digits. */
  readonly spanId: string;
  /** Null for the first of its trace. */
  readonly parentId: string | null;
  readonly isSampled: boolean;
  /** What others in the trace pass on; empty for nothing. */
  readonly traceState: string;
}

/** What a client said: a place in a trace, a decision, both, or something that nobody understands. */
export interface SaidContext {
  readonly traceId: string | null;
  readonly spanId: string | null;
  readonly parentId: string | null;
  /** Null if it is left to whoever comes next. */
  readonly isSampled: boolean | null;
  readonly traceState: string;
}

export const NOTHING_SAID: SaidContext = {
  traceId: null,
  spanId: null,
  parentId: null,
  isSampled: null,
  traceState: '',
};

export type ContextFormat = 'b3' | 'b3-and-w3c' | 'w3c';

const TRACE_ID = /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/i;
const SPAN_ID = /^[0-9a-f]{16}$/i;
const ZEROES = /^0+$/;

/** Null where what was said cannot be understood, and must not be passed on as if it were. */
export function readContext(headers: readonly string[], format: ContextFormat): SaidContext | null {
  if (format === 'w3c') return readW3c(headers);
  const said = readB3(headers);
  const isSilent = said !== null && said.traceId === null && said.isSampled === null;
  return format === 'b3-and-w3c' && isSilent ? readW3c(headers) : said;
}

function readB3(headers: readonly string[]): SaidContext | null {
  const single = getHeader(headers, 'b3');
  if (single !== null) return readSingleB3(single);
  const sampled =
    getHeader(headers, 'x-b3-flags') === '1' ? '1' : getHeader(headers, 'x-b3-sampled');
  return b3Context({
    traceId: getHeader(headers, 'x-b3-traceid'),
    spanId: getHeader(headers, 'x-b3-spanid'),
    parentId: getHeader(headers, 'x-b3-parentspanid'),
    isSampled: sampledB3(sampled),
  });
}

/** `traceid-spanid[-sampled[-parentid]]`, or the decision alone. */
function readSingleB3(text: string): SaidContext | null {
  const parts = text.split('-');
  if (parts.length === 1) return { ...NOTHING_SAID, isSampled: sampledB3(text) };
  const [traceId = null, spanId = null, sampled = null, parentId = null] = parts;
  return b3Context({ traceId, spanId, parentId, isSampled: sampledB3(sampled) });
}

function b3Context(said: Omit<SaidContext, 'traceState'>): SaidContext | null {
  const { traceId, spanId, parentId } = said;
  if (traceId === null || spanId === null) return { ...NOTHING_SAID, isSampled: said.isSampled };
  if (!isId(traceId, TRACE_ID) || !isId(spanId, SPAN_ID)) return null;
  const parent = parentId !== null && isId(parentId, SPAN_ID) ? parentId.toLowerCase() : null;
  return {
    traceId: traceId.toLowerCase(),
    spanId: spanId.toLowerCase(),
    parentId: parent,
    isSampled: said.isSampled,
    traceState: '',
  };
}

function sampledB3(text: string | null): boolean | null {
  if (text === '1' || text === 'd' || text === 'true') return true;
  return text === '0' || text === 'false' ? false : null;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

function readW3c(headers: readonly string[]): SaidContext | null {
  const text = getHeader(headers, 'traceparent');
  if (text === null) return NOTHING_SAID;
  const parts = TRACEPARENT.exec(text);
  if (parts === null || !isKnownVersion(parts)) return null;
  const [, , traceId = '', spanId = '', flags = ''] = parts;
  if (ZEROES.test(traceId) || ZEROES.test(spanId)) return null;
  const isSampled = (Number.parseInt(flags, 16) & 1) === 1;
  const traceState = getHeader(headers, 'tracestate') ?? '';
  return { traceId, spanId, parentId: null, isSampled, traceState };
}

/** Later versions may say more at the end. */
function isKnownVersion([, version, , , , more]: RegExpExecArray): boolean {
  return version === '00' ? more === undefined : version !== 'ff';
}

function isId(text: string, shape: RegExp): boolean {
  return shape.test(text) && !ZEROES.test(text);
}

const B3_FIELDS = ['x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'x-b3-sampled'] as const;

/** For whoever is asked next, in the form in which the client said it. What it said in another format stays as it is. */
export function writeContext(
  headers: HeaderList,
  context: TraceContext,
  format: ContextFormat,
): void {
  const { traceId, spanId, isSampled, traceState } = context;
  if (format !== 'w3c') writeB3(headers, context);
  if (format === 'b3') return;
  const whole = traceId.padStart(32, '0');
  setHeader(headers, 'traceparent', `00-${whole}-${spanId}-${isSampled ? '01' : '00'}`);
  if (traceState !== '') setHeader(headers, 'tracestate', traceState);
}

function writeB3(
  headers: HeaderList,
  { traceId, spanId, parentId, isSampled }: TraceContext,
): void {
  const sampled = isSampled ? '1' : '0';
  removeHeader(headers, 'x-b3-flags');
  if (getHeader(headers, 'b3') !== null) {
    const parts = [traceId, spanId, sampled, ...(parentId === null ? [] : [parentId])];
    setHeader(headers, 'b3', parts.join('-'));
    return;
  }
  const values = [traceId, spanId, parentId, sampled];
  for (const [i, name] of B3_FIELDS.entries()) {
    const value = values[i]!;
    if (value === null) removeHeader(headers, name);
    else setHeader(headers, name, value);
  }
}

/** Of the format's own; what other formats say is not ours to take away. */
export function dropContext(headers: HeaderList, format: ContextFormat): void {
  const b3 = [...B3_FIELDS, 'b3', 'x-b3-flags'];
  const names = [
    ...(format === 'w3c' ? [] : b3),
    ...(format === 'b3' ? [] : ['traceparent', 'tracestate']),
  ];
  for (const name of names) removeHeader(headers, name);
}

/** Random, and never all zeroes. */
export function newId(bytes: 8 | 16): string {
  for (;;) {
    const id = randomBytes(bytes).toString('hex');
    if (!ZEROES.test(id)) return id;
  }
}
