/** The little of protobuf's wire format that writing a document of strings and messages takes. */

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  return Buffer.from([...bytes, rest]);
}

/** A length-delimited field: a string or an encoded message. */
export function encodeField(number: number, value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

/** A message of encoded fields. */
export function encodeMessage(...fields: readonly Buffer[]): Buffer {
  return Buffer.concat(fields);
}
