// hot path: every header block that arrives
import type { HeaderList } from '../headers.ts';
import { type HttpError, violation } from '../http-error.ts';
import {
  DynamicTable,
  fieldSize,
  STATIC_COUNT,
  STATIC_NAMES,
  STATIC_VALUES,
} from './hpack-tables.ts';
import { decodeHuffman } from './huffman.ts';

/** What SETTINGS_HEADER_TABLE_SIZE says when nobody says anything, in bytes. */
export const DEFAULT_TABLE_BYTES = 4096;

/** Integers beyond this mean nothing that we could hold. */
const MAX_INTEGER = 0x7fff_ffff;

const NO_BLOCK = Buffer.alloc(0);

/** A decoded block; `isTooLarge` if fields were left out because the list exceeded its limit. */
export interface DecodedHeaders {
  readonly headers: HeaderList;
  readonly isTooLarge: boolean;
  /** Size of the whole list, as SETTINGS_MAX_HEADER_LIST_SIZE counts. */
  readonly bytes: number;
}

/** Decodes header blocks of one direction of a connection, in their order (RFC 7541). */
export class HpackDecoder {
  readonly #table = new DynamicTable(DEFAULT_TABLE_BYTES);
  readonly #maxListBytes: number;
  #block: Buffer = NO_BLOCK;
  #at = 0;

  /** `maxListBytes` as SETTINGS_MAX_HEADER_LIST_SIZE counts. */
  constructor(maxListBytes: number) {
    this.#maxListBytes = maxListBytes;
  }

  /** Throws COMPRESSION_ERROR, after which the connection cannot go on. */
  decode(block: Buffer): DecodedHeaders {
    this.#block = block;
    this.#at = 0;
    const headers: HeaderList = [];
    let left = this.#maxListBytes;
    let mayResize = true;
    while (this.#at < block.length) {
      const first = block[this.#at]!;
      if ((first & 0xe0) === 0x20) {
        if (!mayResize) throw failure('a table size update follows a field');
        this.#resize();
        continue;
      }
      mayResize = false;
      let name: string;
      let value: string;
      if (first >= 0x80) {
        const index = this.#integer(0x7f);
        name = this.#nameAt(index);
        value =
          index <= STATIC_COUNT
            ? STATIC_VALUES[index - 1]!
            : this.#table.value(index - STATIC_COUNT - 1);
      } else {
        const isIndexed = first >= 0x40;
        const index = this.#integer(isIndexed ? 0x3f : 0x0f);
        name = index === 0 ? this.#string() : this.#nameAt(index);
        value = this.#string();
        if (isIndexed) this.#table.add(name, value);
      }
      left -= fieldSize(name, value);
      if (left >= 0) headers.push(name, value);
    }
    this.#block = NO_BLOCK;
    return { headers, isTooLarge: left < 0, bytes: this.#maxListBytes - left };
  }

  #resize(): void {
    const bytes = this.#integer(0x1f);
    if (bytes > DEFAULT_TABLE_BYTES) throw failure('the table was made larger than allowed');
    this.#table.setMaxSize(bytes);
  }

  #nameAt(index: number): string {
    if (index === 0 || index > STATIC_COUNT + this.#table.count) throw failure('no such index');
    return index <= STATIC_COUNT
      ? STATIC_NAMES[index - 1]!
      : this.#table.name(index - STATIC_COUNT - 1);
  }

  /** RFC 7541 section 5.1; `mask` covers the bits of the first octet. */
  #integer(mask: number): number {
    let value = this.#octet() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 28; shift += 7) {
      const octet = this.#octet();
      value += (octet & 0x7f) * 2 ** shift;
      if (value > MAX_INTEGER) break;
      if (octet < 0x80) return value;
    }
    throw failure('an integer is too large');
  }

  #string(): string {
    const isHuffman = (this.#block[this.#at] ?? 0) >= 0x80;
    const length = this.#integer(0x7f);
    const start = this.#at;
    const end = start + length;
    if (end > this.#block.length) throw failure('a string is cut off');
    this.#at = end;
    return isHuffman
      ? decodeHuffman(this.#block, start, end)
      : this.#block.toString('latin1', start, end);
  }

  #octet(): number {
    const octet = this.#block[this.#at];
    if (octet === undefined) throw failure('a field is cut off');
    this.#at += 1;
    return octet;
  }
}

function failure(what: string): HttpError {
  return violation('COMPRESSION_ERROR', `header block: ${what}`);
}
