/**
 * IP addresses as text and bytes, without `node:net`, so that the model runs anywhere.
 * Text is canonical: dotted quad for IPv4, RFC 5952 for IPv6.
 */

/** Canonical text of a 4 or 16 byte address in network order; null for any other length. */
export function formatIpAddress(bytes: Uint8Array): string | null {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  if (bytes.length !== 16) return null;
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((bytes[i]! << 8) | bytes[i + 1]!);
  return compressGroups(groups);
}

/** Bytes in network order (4 or 16 of them), or null if the text is not an IP address. Zones are refused. */
export function parseIpAddress(text: string): Uint8Array | null {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

const MAPPED_PREFIX = '::ffff:';

/** The same address in canonical text, IPv4-mapped IPv6 reduced to IPv4; null if it is not an IP address. */
export function canonicalIpAddress(text: string): string | null {
  // What sockets say of IPv4 peers, for every connection: nothing is left to do.
  const unmapped = text.startsWith(MAPPED_PREFIX) ? text.slice(MAPPED_PREFIX.length) : text;
  if (DOTTED_QUAD.test(unmapped)) return unmapped;
  const bytes = parseIpAddress(text);
  if (bytes === null) return null;
  if (bytes.length === 16 && isV4Mapped(bytes)) return formatIpAddress(bytes.subarray(12));
  return formatIpAddress(bytes);
}

/** A range of addresses: every address whose first `prefixLength` bits equal those of `address`. */
export interface Cidr {
  readonly address: string;
  readonly prefixLength: number;
}

/** A range in CIDR notation, or a single address as the range of itself, not masked; null for anything else. */
export function parseCidr(text: string): Cidr | null {
  const [address = '', length, ...rest] = text.split('/');
  const bytes = parseIpAddress(address);
  if (bytes === null || rest.length > 0) return null;
  const bits = bytes.length * 8;
  const prefixLength = length === undefined ? bits : /^\d+$/.test(length) ? Number(length) : -1;
  if (prefixLength < 0 || prefixLength > bits) return null;
  return { address: formatIpAddress(bytes)!, prefixLength };
}

/** An address as numbers: one word of 32 bits for IPv4, four for IPv6, in network order. */
export type AddressWords = Int32Array;

/** Null if the text is not an IP address. */
export function addressWords(text: string): AddressWords | null {
  const bytes = parseIpAddress(text);
  return bytes === null ? null : wordsOf(bytes);
}

function wordsOf(bytes: Uint8Array): AddressWords {
  const words = new Int32Array(bytes.length / 4);
  for (let i = 0; i < bytes.length; i++) words[i >> 2] = (words[i >> 2]! << 8) | bytes[i]!;
  return words;
}

/** A range whose text was parsed. IPv4 and IPv6 never match each other; a text that is no address matches nothing. */
export class AddressRange {
  readonly #words: AddressWords;
  readonly #masks: Int32Array;

  constructor({ address, prefixLength }: Cidr) {
    this.#words = addressWords(address) ?? new Int32Array();
    this.#masks = new Int32Array(this.#words.length);
    for (let i = 0; i < this.#masks.length; i++) {
      const bits = Math.min(Math.max(prefixLength - 32 * i, 0), 32);
      // A shift by 32 shifts by nothing: no bits at all have a case of their own.
      this.#masks[i] = bits === 0 ? 0 : -1 << (32 - bits);
    }
  }

  /** Of an address as text. */
  includes(text: string): boolean {
    const address = addressWords(text);
    return address !== null && this.contains(address);
  }

  contains(address: AddressWords): boolean {
    const words = this.#words;
    if (words.length === 0 || address.length !== words.length) return false;
    for (let i = 0; i < words.length; i++) {
      if (((words[i]! ^ address[i]!) & this.#masks[i]!) !== 0) return false;
    }
    return true;
  }
}

/** Whether the address lies in the range. Who asks often keeps the `AddressRange`. */
export function cidrContains(cidr: Cidr, address: string): boolean {
  return new AddressRange(cidr).includes(address);
}

function isV4Mapped(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false;
  return bytes[10] === 0xff && bytes[11] === 0xff;
}

const OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])';
const DOTTED_QUAD = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);

function parseIpv4(text: string): Uint8Array | null {
  if (!DOTTED_QUAD.test(text)) return null;
  const bytes = new Uint8Array(4);
  let at = 0;
  for (const octet of text.split('.')) bytes[at++] = Number(octet);
  return bytes;
}

function parseIpv6(text: string): Uint8Array | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1]!, true) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const bytes = new Uint8Array(16);
  groups.forEach((group, i) => {
    bytes[2 * i] = group >> 8;
    bytes[2 * i + 1] = group & 0xff;
  });
  return bytes;
}

/** An embedded dotted quad is allowed only at the very end of the address. */
function parseGroups(text: string, atEnd: boolean): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (part.includes('.')) {
      const quad = atEnd && i === parts.length - 1 ? parseIpv4(part) : null;
      if (quad === null) return null;
      groups.push((quad[0]! << 8) | quad[1]!, (quad[2]! << 8) | quad[3]!);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return null;
    }
  }
  return groups;
}

function compressGroups(groups: readonly number[]): string {
  let best = { start: -1, length: 1 };
  for (let i = 0; i < groups.length; i++) {
    let end = i;
    while (end < groups.length && groups[end] === 0) end++;
    if (end - i > best.length) best = { start: i, length: end - i };
    if (end > i) i = end;
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.start < 0) return hex.join(':');
  const head = hex.slice(0, best.start).join(':');
  const tail = hex.slice(best.start + best.length).join(':');
  return `${head}::${tail}`;
}
