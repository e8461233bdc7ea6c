// hot path: every header block that is sent
import { DEFAULT_TABLE_BYTES } from './hpack-decoder.ts';
import { DynamicTable, STATIC_COUNT, STATIC_NAMES, STATIC_VALUES } from './hpack-tables.ts';

/**
 * Their values differ from request to request: remembering them would only push out what repeats. One value goes into
 * the table all the same, for the name that comes with it.
 */
const CHANGING: ReadonlySet<string> = new Set([
  ':path',
  'content-length',
  'date',
  'etag',
  'forwarded',
  'if-modified-since',
  'if-none-match',
  'last-modified',
  'location',
  'traceparent',
  'tracestate',
  'x-b3-spanid',
  'x-b3-traceid',
  'x-forwarded-for',
  'x-request-id',
]);

/** Kept out of every table on the way, so that nobody can guess them by their size (RFC 7541 section 7.1). */
const SECRET: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'proxy-authorization',
  'set-cookie',
]);

/** A value longer than this is not remembered: a few of them would fill the table. */
const LONGEST_REMEMBERED = 1024;

const STATIC_INDEX: ReadonlyMap<string, number> = indexNames();
const STATIC_PAIRS: ReadonlyMap<string, ReadonlyMap<string, number>> = indexPairs();

function indexNames(): Map<string, number> {
  const index = new Map<string, number>();
  for (const [at, name] of STATIC_NAMES.entries()) if (!index.has(name)) index.set(name, at + 1);
  return index;
}

function indexPairs(): Map<string, Map<string, number>> {
  const pairs = new Map<string, Map<string, number>>();
  for (const [at, name] of STATIC_NAMES.entries()) {
    if (STATIC_VALUES[at] === '') continue;
    const values = pairs.get(name) ?? new Map<string, number>();
    pairs.set(name, values.set(STATIC_VALUES[at]!, at + 1));
  }
  return pairs;
}

/** Serials of the table entries with one name, by value, and of the newest of them. */
interface Remembered {
  readonly serials: Map<string, number>;
  newest: number;
}

let scratch = Buffer.allocUnsafe(16_384);

/**
 * Encodes header lists of one direction of a connection (RFC 7541). Strings are not compressed: Huffman code would
 * save a few bytes of a block and cost more than all the rest of encoding it.
 */
export class HpackEncoder {
  /** By name. Entries are evicted oldest first, so a name that is here has its newest entry in the table. */
  readonly #remembered = new Map<string, Remembered>();
  readonly #table = new DynamicTable(DEFAULT_TABLE_BYTES, (name, value, serial) => {
    const remembered = this.#remembered.get(name);
    if (remembered?.serials.get(value) !== serial) return;
    remembered.serials.delete(value);
    if (remembered.serials.size === 0) this.#remembered.delete(name);
  });
  /** The smallest size set since the last block, which has to be announced with the final one; null if none was. */
  #smallestSize: number | null = null;
  #at = 0;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE, in bytes; more than 4096 is not used. */
  setMaxTableSize(bytes: number): void {
    const usable = Math.min(bytes, DEFAULT_TABLE_BYTES);
    if (usable === this.#table.maxSize) return;
    this.#table.setMaxSize(usable);
    this.#smallestSize = Math.min(usable, this.#smallestSize ?? usable);
  }

  /** The block, valid until the next call on any encoder. Names in lower case, values in latin1. */
  encode(headers: readonly string[]): Buffer {
    this.#at = 0;
    if (this.#smallestSize !== null) this.#announceSize(this.#smallestSize);
    for (let i = 0; i < headers.length; i += 2) this.#field(headers[i]!, headers[i + 1]!);
    return scratch.subarray(0, this.#at);
  }

  #announceSize(smallest: number): void {
    const final = this.#table.maxSize;
    if (smallest < final) this.#integer(0x20, 0x1f, smallest);
    this.#integer(0x20, 0x1f, final);
    this.#smallestSize = null;
  }

  #field(name: string, value: string): void {
    this.#reserve(name.length + value.length + 32);
    const index = this.#fieldIndex(name, value);
    if (index !== 0) {
      this.#integer(0x80, 0x7f, index);
      return;
    }
    const nameIndex =
      STATIC_INDEX.get(name) ?? this.#tableIndex(this.#remembered.get(name)?.newest);
    if (SECRET.has(name)) this.#integer(0x10, 0x0f, nameIndex);
    else if (value.length <= LONGEST_REMEMBERED && !(CHANGING.has(name) && nameIndex !== 0)) {
      this.#integer(0x40, 0x3f, nameIndex);
      this.#remember(name, value);
    } else this.#integer(0x00, 0x0f, nameIndex);
    if (nameIndex === 0) this.#string(name);
    this.#string(value);
  }

  /** Index of an entry that has the value too; 0 if there is none. */
  #fieldIndex(name: string, value: string): number {
    const index = STATIC_PAIRS.get(name)?.get(value);
    if (index !== undefined) return index;
    // Not even looked up: to hash a value that nobody has seen costs as much as to send it.
    if (CHANGING.has(name)) return 0;
    return this.#tableIndex(this.#remembered.get(name)?.serials.get(value));
  }

  #tableIndex(serial: number | undefined): number {
    return serial === undefined ? 0 : STATIC_COUNT + this.#table.added - serial;
  }

  #remember(name: string, value: string): void {
    this.#table.add(name, value);
    if (this.#table.count === 0) return;
    const newest = this.#table.added - 1;
    const remembered = this.#remembered.get(name) ?? { serials: new Map<string, number>(), newest };
    remembered.serials.set(value, newest);
    remembered.newest = newest;
    this.#remembered.set(name, remembered);
  }

  #string(text: string): void {
    this.#integer(0, 0x7f, text.length);
    this.#at += scratch.write(text, this.#at, 'latin1');
  }

  #integer(flags: number, mask: number, value: number): void {
    if (value < mask) {
      scratch[this.#at++] = flags | value;
      return;
    }
    scratch[this.#at++] = flags | mask;
    let rest = value - mask;
    while (rest >= 0x80) {
      scratch[this.#at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    scratch[this.#at++] = rest;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= scratch.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#at + bytes));
    scratch.copy(larger, 0, 0, this.#at);
    scratch = larger;
  }
}
