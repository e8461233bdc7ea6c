/** Tags of DER (X.690) that certificates and revocation lists are made of. */
export const DER = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  objectId: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  /** What a certificate puts its version in, and a revocation list its extensions. */
  explicit0: 0xa0,
} as const;

/** One element: its tag, and offsets of itself, its value and its end. */
export interface DerElement {
  readonly tag: number;
  readonly at: number;
  readonly value: number;
  readonly end: number;
}

/** Reads elements one after the other. Throws an `Error` at anything that is not whole, or not DER. */
export class DerReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  constructor(bytes: Buffer, within: Pick<DerElement, 'value' | 'end'>) {
    this.#bytes = bytes;
    this.#at = within.value;
    this.#end = within.end;
  }

  static whole(bytes: Buffer): DerReader {
    return new DerReader(bytes, { value: 0, end: bytes.length });
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** Whether the next element has one of the tags. */
  isNext(...tags: readonly number[]): boolean {
    return !this.isAtEnd && tags.includes(this.#bytes[this.#at]!);
  }

  /** The next element, which has to have one of the tags. */
  next(...tags: readonly number[]): DerElement {
    if (!this.isNext(...tags)) throw new Error('not the DER that was expected');
    const at = this.#at;
    const { value, length } = this.#length(at + 1);
    const end = value + length;
    if (end > this.#end) throw new Error('DER ends before its time');
    this.#at = end;
    return { tag: this.#bytes[at]!, at, value, end };
  }

  /** The next element if it has the tag. */
  maybe(...tags: readonly number[]): DerElement | null {
    return this.isNext(...tags) ? this.next(...tags) : null;
  }

  /** What is in the next element, which has to have the tag. */
  enter(tag: number): DerReader {
    return new DerReader(this.#bytes, this.next(tag));
  }

  #length(at: number): { readonly value: number; readonly length: number } {
    const first = this.#bytes[at] ?? 0xff;
    if (first < 0x80) return { value: at + 1, length: first };
    const size = first & 0x7f;
    if (size === 0 || size > 4 || at + 1 + size > this.#end) throw new Error('not a DER length');
    return { value: at + 1 + size, length: this.#bytes.readUIntBE(at + 1, size) };
  }
}

/** The element's value as hexadecimal text. */
export function hexValue(bytes: Buffer, { value, end }: DerElement): string {
  return bytes.toString('hex', value, end);
}
