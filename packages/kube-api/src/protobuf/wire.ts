/** The little of protobuf's wire format that Kubernetes uses. */
import { badRequest } from '../status.ts';

/** What an envelope begins with. */
export const MAGIC: Buffer = Buffer.from('k8s\0');

/** A varint, or the bytes of a fixed or length-delimited field. */
export type WireValue = bigint | Buffer;

interface WireField {
  readonly number: number;
  readonly value: WireValue;
}

/** The fields of a message in their order. Throws 400 where the bytes are no message. */
export function* wireFields(bytes: WireValue): Generator<WireField> {
  if (typeof bytes === 'bigint') throw badRequest('protobuf: a number where a message belongs');
  let at = 0;
  const varint = (): bigint => {
    let result = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw badRequest('protobuf: the message ends within a number');
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return result;
    }
    throw badRequest('protobuf: a number is longer than ten bytes');
  };
  const slice = (length: number): Buffer => {
    if (at + length > bytes.length) {
      throw badRequest('protobuf: a field is longer than the message');
    }
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (wireType === 0) yield { number, value: varint() };
    else if (wireType === 1) yield { number, value: slice(8) };
    else if (wireType === 2) yield { number, value: slice(Number(varint())) };
    else throw badRequest(`protobuf: wire type ${wireType} is not used by Kubernetes`);
  }
}

/** The last field with this number: later ones replace earlier ones. */
export function lastField(bytes: WireValue, number: number): WireValue | undefined {
  return [...wireFields(bytes)].findLast((field) => field.number === number)?.value;
}

/** Go sends fields of value types also when they are zero: zeros, empty texts, and messages of nothing else. */
export function saysNothing(value: WireValue): boolean {
  if (typeof value === 'bigint') return value === 0n;
  try {
    return [...wireFields(value)].every((field) => saysNothing(field.value));
  } catch {
    return false;
  }
}

/** As text; empty without a value. */
export function textOf(value: WireValue | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'bigint' ? String(value) : value.toString();
}

/** As a signed number; 0 without a value. */
export function integerOf(value: WireValue | undefined): number {
  return typeof value === 'bigint' ? Number(BigInt.asIntN(64, value)) : 0;
}

/** As a floating-point number; 0 without a value. */
export function doubleOf(value: WireValue): number {
  return typeof value !== 'bigint' && value.length === 8 ? value.readDoubleLE() : 0;
}

/** A whole number as a varint; a negative one takes ten bytes. */
export function varintBytes(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}
