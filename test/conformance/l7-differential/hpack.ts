/**
 * Header compression for the harness's own peers (RFC 7541). It shares nothing with `packages/http`: two mistakes that
 * agree would be seen by nobody.
 */

const STATIC: readonly (readonly [name: string, value: string])[] = [
  ...pairs(':authority= :method=GET :method=POST :path=/ :path=/index.html :scheme=http'),
  ...pairs(':scheme=https :status=200 :status=204 :status=206 :status=304 :status=400'),
  ...pairs(':status=404 :status=500 accept-charset='),
  ['accept-encoding', 'gzip, deflate'],
  ...pairs('accept-language= accept-ranges= accept= access-control-allow-origin= age= allow='),
  ...pairs('authorization= cache-control= content-disposition= content-encoding='),
  ...pairs('content-language= content-length= content-location= content-range= content-type='),
  ...pairs('cookie= date= etag= expect= expires= from= host= if-match= if-modified-since='),
  ...pairs('if-none-match= if-range= if-unmodified-since= last-modified= link= location='),
  ...pairs('max-forwards= proxy-authenticate= proxy-authorization= range= referer= refresh='),
  ...pairs('retry-after= server= set-cookie= strict-transport-security= transfer-encoding='),
  ...pairs('user-agent= vary= via= www-authenticate='),
];

function pairs(text: string): (readonly [string, string])[] {
  return text.split(' ').map((pair) => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at), pair.slice(at + 1)] as const;
  });
}

/** Bits of the code of each octet, and of the end; the codes count up by length, then by octet (appendix B). */
const CODE_BITS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
  28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5,
  6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6,
  7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
  23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22,
  22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22,
  23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27,
  27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25,
  24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/** `bits:code` to octet. */
const OCTETS: ReadonlyMap<string, number> = huffmanCodes();

function huffmanCodes(): Map<string, number> {
  const codes = new Map<string, number>();
  const order = CODE_BITS.map((bits, octet) => ({ bits, octet })).toSorted(
    (a, b) => a.bits - b.bits || a.octet - b.octet,
  );
  let code = -1;
  let length = 0;
  for (const { bits, octet } of order) {
    code = length === 0 ? 0 : (code + 1) * 2 ** (bits - length);
    length = bits;
    codes.set(`${bits}:${code}`, octet);
  }
  return codes;
}

function decodeHuffman(bytes: Buffer): string {
  const octets: number[] = [];
  let code = 0;
  let bits = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1);
      bits += 1;
      const octet = OCTETS.get(`${bits}:${code}`);
      if (octet === undefined) continue;
      octets.push(octet);
      code = 0;
      bits = 0;
    }
  }
  return Buffer.from(octets).toString('latin1');
}

/** Names and values in turn. */
export type Fields = readonly string[];

/** Reads header blocks of one direction of one connection. */
export class HpackReader {
  /** The newest first. */
  #dynamic: (readonly [name: string, value: string])[] = [];
  #maxBytes = 4096;

  read(block: Buffer): string[] {
    const fields: string[] = [];
    let at = 0;
    const number = (prefixBits: number): number => {
      const mask = 2 ** prefixBits - 1;
      let value = block[at++]! & mask;
      if (value < mask) return value;
      for (let shift = 0; ; shift += 7) {
        const byte = block[at++]!;
        value += (byte & 0x7f) * 2 ** shift;
        if (byte < 0x80) return value;
      }
    };
    const string = (): string => {
      const isHuffman = (block[at]! & 0x80) !== 0;
      const length = number(7);
      const bytes = block.subarray(at, at + length);
      at += length;
      return isHuffman ? decodeHuffman(bytes) : bytes.toString('latin1');
    };
    while (at < block.length) {
      const first = block[at]!;
      if (first >= 0x80) fields.push(...this.#field(number(7)));
      else if (first >= 0x40) {
        const index = number(6);
        const name = index === 0 ? string() : this.#field(index)[0];
        const value = string();
        fields.push(name, value);
        this.#dynamic.unshift([name, value]);
        this.#evict();
      } else if (first >= 0x20) {
        this.#maxBytes = number(5);
        this.#evict();
      } else {
        const index = number(4);
        const name = index === 0 ? string() : this.#field(index)[0];
        fields.push(name, string());
      }
    }
    return fields;
  }

  #field(index: number): readonly [name: string, value: string] {
    const field = STATIC[index - 1] ?? this.#dynamic[index - 1 - STATIC.length];
    if (field === undefined) throw new Error(`no header has index ${index}`);
    return field;
  }

  #evict(): void {
    let bytes = 0;
    const kept = this.#dynamic.findIndex(([name, value]) => {
      bytes += name.length + value.length + 32;
      return bytes > this.#maxBytes;
    });
    if (kept >= 0) this.#dynamic.length = kept;
  }
}

/** As literals that no table holds: whatever is said, it is well-formed compression. */
export function writeFields(fields: Fields): Buffer {
  return Buffer.concat(
    fields.map((text, i) => {
      const bytes = Buffer.from(text, 'latin1');
      const prefix = i % 2 === 0 ? [0x00] : [];
      return Buffer.concat([Buffer.from([...prefix, ...lengthOf(bytes.length)]), bytes]);
    }),
  );
}

function lengthOf(length: number): number[] {
  if (length < 0x7f) return [length];
  const octets = [0x7f];
  let rest = length - 0x7f;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) octets.push((rest % 0x80) + 0x80);
  return [...octets, rest];
}
