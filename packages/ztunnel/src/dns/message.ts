import { parseIpAddress } from '@aquifer/model';

/** Numbers of RFC 1035 section 4.1.1. */
export const RCODE = { noError: 0, formatError: 1, serverFailure: 2, notImplemented: 4 } as const;

const TYPE = { A: 1, CNAME: 5, OPT: 41, AAAA: 28 } as const;
const CLASS_IN = 1;
const HEADER_BYTES = 12;
const FLAG = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  recurse: 0x0100,
} as const;
const RECURSION_AVAILABLE = 0x0080;
const OPCODE_MASK = 0x7800;
const TTL_SECONDS = 30;
/** Pointer to the question's name (RFC 1035 section 4.1.4). */
const QUESTION_NAME = 0xc000 | HEADER_BYTES;
/** What every client takes over UDP (RFC 1035 section 2.3.4). */
const SMALLEST_UDP_BYTES = 512;
const MAX_NAME_BYTES = 255;

/** A query that can be answered or forwarded. */
export interface DnsQuery {
  readonly bytes: Buffer;
  /** In lower case, without final dot; null if a label holds a dot, which no Service has. */
  readonly name: string | null;
  /** Of the types that are answered here; others are forwarded. */
  readonly type: 'A' | 'AAAA' | 'other';
  /** For logs and metrics, such as `A` or `TYPE65`. */
  readonly typeName: string;
  /** End of the question, which answers repeat. */
  readonly questionEnd: number;
  /** The client's OPT record without its data (RFC 6891); null if it sent none. */
  readonly opt: Buffer | null;
  /** Bytes that the client takes over UDP. */
  readonly maxUdpBytes: number;
}

/** A query, or the answer to what is none; null if there is nobody to answer. */
export type ParsedQuery =
  | { readonly ok: true; readonly query: DnsQuery }
  | { readonly ok: false; readonly refusal: Buffer | null };

/** Reads a message of a client. Nothing in it is trusted. */
export function parseQuery(bytes: Buffer): ParsedQuery {
  if (bytes.length < HEADER_BYTES) return { ok: false, refusal: null };
  const flags = bytes.readUInt16BE(2);
  if ((flags & FLAG.response) !== 0) return refuse(bytes, RCODE.formatError);
  if ((flags & OPCODE_MASK) !== 0) return refuse(bytes, RCODE.notImplemented);
  const name = bytes.readUInt16BE(4) === 1 ? readQuestionName(bytes) : null;
  if (name === null || name.end + 4 > bytes.length) return refuse(bytes, RCODE.formatError);
  const opt = findOpt(bytes, name.end + 4);
  if (opt === undefined) return refuse(bytes, RCODE.formatError);
  return { ok: true, query: describe(bytes, name, opt) };
}

function describe(bytes: Buffer, name: QuestionName, opt: Buffer | null): DnsQuery {
  const type = bytes.readUInt16BE(name.end);
  const isInternet = bytes.readUInt16BE(name.end + 2) === CLASS_IN;
  const typeName = TYPE_NAMES.get(type) ?? `TYPE${type}`;
  return {
    bytes,
    name: name.text,
    type: isInternet && (typeName === 'A' || typeName === 'AAAA') ? typeName : 'other',
    typeName,
    questionEnd: name.end + 4,
    opt,
    maxUdpBytes: Math.max(SMALLEST_UDP_BYTES, opt?.readUInt16BE(3) ?? 0),
  };
}

const TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'A'],
  [2, 'NS'],
  [5, 'CNAME'],
  [6, 'SOA'],
  [12, 'PTR'],
  [15, 'MX'],
  [16, 'TXT'],
  [28, 'AAAA'],
  [33, 'SRV'],
  [64, 'SVCB'],
  [65, 'HTTPS'],
  [255, 'ANY'],
]);

/** An authoritative answer. `addresses` may be empty: then the name has none of that kind. */
export function encodeAnswer(
  query: DnsQuery,
  { cname, addresses }: { readonly cname: string | null; readonly addresses: readonly string[] },
  maxBytes: number,
): Buffer {
  const records: Buffer[] = [];
  let owner = QUESTION_NAME;
  let room = maxBytes - query.questionEnd - (query.opt?.length ?? 0);
  const add = (record: Buffer): boolean => {
    if (record.length > room) return false;
    room -= record.length;
    records.push(record);
    return true;
  };
  let isWhole = true;
  if (cname !== null) {
    const target = encodeName(cname);
    isWhole = add(encodeRecord(QUESTION_NAME, TYPE.CNAME, target));
    // The name stands in the record's data, after owner, type, class, TTL and length.
    owner = 0xc000 | (query.questionEnd + 12);
  }
  for (const ip of addresses) {
    const address = Buffer.from(parseIpAddress(ip) ?? []);
    const type = address.length === 16 ? TYPE.AAAA : TYPE.A;
    isWhole &&= add(encodeRecord(owner, type, address));
  }
  return assemble(query, records, {
    flags: FLAG.authoritative | RECURSION_AVAILABLE | (isWhole ? 0 : FLAG.truncated),
  });
}

/** An answer without records that says what went wrong. */
export function encodeFailure(query: DnsQuery, rcode: number): Buffer {
  return assemble(query, [], { flags: rcode });
}

/** What a nameserver answered, as the answer to the client's own query: its id, and not authoritative. */
export function relayAnswer(query: DnsQuery, answer: Buffer): Buffer {
  answer.writeUInt16BE(query.bytes.readUInt16BE(0), 0);
  const flags = answer.readUInt16BE(2);
  answer.writeUInt16BE((flags & ~FLAG.authoritative) | RECURSION_AVAILABLE, 2);
  return answer;
}

/** Whether a message answers this query and no other: same id, same question. */
export function isAnswerTo(query: Buffer, questionEnd: number, answer: Buffer): boolean {
  if (answer.length < HEADER_BYTES || (answer.readUInt16BE(2) & FLAG.response) === 0) return false;
  if (answer.readUInt16BE(0) !== query.readUInt16BE(0)) return false;
  // One that could not read the question need not repeat it.
  if (answer.readUInt16BE(4) === 0) return answer.length === HEADER_BYTES;
  const asked = query.toString('latin1', HEADER_BYTES, questionEnd).toLowerCase();
  return answer.toString('latin1', HEADER_BYTES, questionEnd).toLowerCase() === asked;
}

function assemble(
  query: DnsQuery,
  records: readonly Buffer[],
  { flags }: { readonly flags: number },
): Buffer {
  const head = Buffer.from(query.bytes.subarray(0, query.questionEnd));
  const kept = head.readUInt16BE(2) & FLAG.recurse;
  head.writeUInt16BE(FLAG.response | kept | flags, 2);
  head.writeUInt16BE(records.length, 6);
  head.writeUInt16BE(0, 8);
  head.writeUInt16BE(query.opt === null ? 0 : 1, 10);
  return Buffer.concat(query.opt === null ? [head, ...records] : [head, ...records, query.opt]);
}

function refuse(bytes: Buffer, rcode: number): ParsedQuery {
  const refusal = Buffer.alloc(HEADER_BYTES);
  refusal.set(bytes.subarray(0, 2));
  const kept = bytes.readUInt16BE(2) & (OPCODE_MASK | FLAG.recurse);
  refusal.writeUInt16BE(FLAG.response | kept | rcode, 2);
  return { ok: false, refusal };
}

interface QuestionName {
  /** Null if a label holds a dot. */
  readonly text: string | null;
  readonly end: number;
}

/** Null if it is not a name: compressed, too long, or cut off. */
function readQuestionName(bytes: Buffer): QuestionName | null {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  while (at < bytes.length) {
    const length = bytes[at]!;
    at += 1;
    if (length === 0) {
      const isPlain = labels.every((label) => !label.includes('.'));
      return { text: isPlain ? labels.join('.').toLowerCase() : null, end: at };
    }
    if (length > 63 || at + length > bytes.length || at - HEADER_BYTES + length >= MAX_NAME_BYTES) {
      return null;
    }
    labels.push(bytes.toString('latin1', at, at + length));
    at += length;
  }
  return null;
}

/** The OPT record among what follows the question; undefined if that cannot be read. */
function findOpt(bytes: Buffer, from: number): Buffer | null | undefined {
  const count = bytes.readUInt16BE(6) + bytes.readUInt16BE(8) + bytes.readUInt16BE(10);
  let at = from;
  let found: Buffer | null = null;
  for (let i = 0; i < count; i++) {
    const start = skipName(bytes, at);
    if (start === null || start + 10 > bytes.length) return undefined;
    const end = start + 10 + bytes.readUInt16BE(start + 8);
    if (end > bytes.length) return undefined;
    if (bytes.readUInt16BE(start) === TYPE.OPT) found = optWithoutData(bytes, start);
    at = end;
  }
  return found;
}

/** Root name, type, payload size, extended code, version, flags, no data. */
function optWithoutData(bytes: Buffer, start: number): Buffer {
  const opt = Buffer.alloc(11);
  opt.set(bytes.subarray(start, start + 8), 1);
  opt.writeUInt16BE(Math.max(SMALLEST_UDP_BYTES, opt.readUInt16BE(3)), 3);
  return opt;
}

function skipName(bytes: Buffer, from: number): number | null {
  let at = from;
  while (at < bytes.length) {
    const length = bytes[at]!;
    if (length === 0) return at + 1;
    if ((length & 0xc0) === 0xc0) return at + 2;
    if (length > 63) return null;
    at += 1 + length;
  }
  return null;
}

function encodeRecord(owner: number, type: number, data: Buffer): Buffer {
  const record = Buffer.alloc(12 + data.length);
  record.writeUInt16BE(owner, 0);
  record.writeUInt16BE(type, 2);
  record.writeUInt16BE(CLASS_IN, 4);
  record.writeUInt32BE(TTL_SECONDS, 6);
  record.writeUInt16BE(data.length, 10);
  record.set(data, 12);
  return record;
}

function encodeName(name: string): Buffer {
  const parts = name.split('.').map((label) => {
    const text = Buffer.from(label, 'latin1');
    return Buffer.concat([Buffer.of(text.length), text]);
  });
  return Buffer.concat([...parts, Buffer.of(0)]);
}
