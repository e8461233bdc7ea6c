import { randomInt } from 'node:crypto';
import { canonicalIpAddress, formatIpAddress } from '@aquifer/model';

const HEADER_BYTES = 12;
const RECURSE = 0x0100;
const CLASS_IN = 1;
const TYPES = { 4: { number: 1, bytes: 4 }, 6: { number: 28, bytes: 16 } } as const;
/** RFC 1035 section 2.3.4. */
const MAX_LABEL_BYTES = 63;
const MAX_NAME_BYTES = 255;
const POINTER = 0xc0;

/** Asks for one address of a name, as a program of the pod would; null if there is none, or the name is none. */
export async function lookUpAddress(
  ask: (query: Buffer) => Promise<Buffer | null>,
  name: string,
  family: 4 | 6,
): Promise<string | null> {
  const query = encodeQuery(name, TYPES[family].number);
  const answer = query === null ? null : await ask(query);
  return answer === null ? null : firstAddress(answer, TYPES[family]);
}

function encodeQuery(name: string, type: number): Buffer | null {
  const labels = name
    .replace(/\.$/, '')
    .split('.')
    .map((label) => Buffer.from(label));
  if (labels.some(({ length }) => length === 0 || length > MAX_LABEL_BYTES)) return null;
  const encoded = Buffer.concat([
    ...labels.flatMap((label) => [Buffer.of(label.length), label]),
    Buffer.of(0),
  ]);
  if (encoded.length > MAX_NAME_BYTES) return null;
  const query = Buffer.alloc(HEADER_BYTES + encoded.length + 4);
  query.writeUInt16BE(randomInt(0x1_0000), 0);
  query.writeUInt16BE(RECURSE, 2);
  query.writeUInt16BE(1, 4);
  encoded.copy(query, HEADER_BYTES);
  query.writeUInt16BE(type, query.length - 4);
  query.writeUInt16BE(CLASS_IN, query.length - 2);
  return query;
}

/** Nothing in an answer is trusted: what ends before its time has no address. */
function firstAddress(
  answer: Buffer,
  type: { readonly number: number; readonly bytes: number },
): string | null {
  try {
    let at = HEADER_BYTES;
    for (let left = answer.readUInt16BE(4); left > 0; left--) at = endOfName(answer, at) + 4;
    for (let left = answer.readUInt16BE(6); left > 0; left--) {
      const record = endOfName(answer, at);
      const length = answer.readUInt16BE(record + 8);
      at = record + 10 + length;
      const isWanted = answer.readUInt16BE(record) === type.number && length === type.bytes;
      if (!isWanted || at > answer.length) continue;
      return canonicalIpAddress(formatIpAddress(answer.subarray(record + 10, at)) ?? '');
    }
    return null;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function endOfName(message: Buffer, at: number): number {
  let end = at;
  for (;;) {
    const length = message.readUInt8(end);
    if (length >= POINTER) return end + 2;
    end += 1 + length;
    if (length === 0) return end;
  }
}
