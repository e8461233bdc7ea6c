/**
 * Kubernetes' protobuf envelope (`k8s\0` and a `runtime.Unknown`) and the messages in it.
 *
 * Always: a field that is not in the table and says something refuses the whole request. Leaving it out would store
 * another object than the client sent.
 */
import type { ApiStatusError } from '../../api-status-error.ts';
import { type JsonObject, timestampOf } from '../json.ts';
import { badRequest, unsupportedMediaType } from '../status.ts';
import { type FieldRow, type MessageTable, messages } from './messages.ts';

interface WireField {
  readonly number: number;
  /** The varint, or the bytes of a length-delimited field. */
  readonly value: bigint | Buffer;
}

const MAGIC = Buffer.from('k8s\0');

function* wireFields(bytes: Buffer): Generator<WireField> {
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
  while (at < bytes.length) {
    const tag = Number(varint());
    const wireType = tag & 7;
    const number = tag >>> 3;
    if (wireType === 0) {
      yield { number, value: varint() };
    } else if (wireType === 2) {
      const length = Number(varint());
      if (at + length > bytes.length)
        throw badRequest('protobuf: a field is longer than the message');
      yield { number, value: bytes.subarray(at, at + length) };
      at += length;
    } else {
      throw badRequest(`protobuf: wire type ${wireType} is not used by Kubernetes`);
    }
  }
}

function text(value: bigint | Buffer): string {
  return typeof value === 'bigint' ? String(value) : value.toString();
}

function part(value: bigint | Buffer, number: number): bigint | Buffer | undefined {
  if (typeof value === 'bigint') return undefined;
  return [...wireFields(value)].findLast((field) => field.number === number)?.value;
}

function integer(value: bigint | Buffer): number {
  return typeof value === 'bigint' ? Number(BigInt.asIntN(64, value)) : 0;
}

type Reader = (value: bigint | Buffer) => unknown;

function intOrString(value: bigint | Buffer): unknown {
  return part(value, 1) === 1n
    ? text(part(value, 3) ?? Buffer.of())
    : integer(part(value, 2) ?? 0n);
}

/** `undefined` leaves the field out. */
const readers: Readonly<Record<string, Reader>> = {
  string: (value) => text(value) || undefined,
  int: (value) => integer(value) || undefined,
  'int?': integer,
  bool: (value) => value === 1n || undefined,
  'bool?': (value) => value === 1n,
  bytes: (value) => (typeof value === 'bigint' ? '' : value.toString('base64')),
  quantity: (value) => text(part(value, 1) ?? Buffer.of()),
  time: (value) => {
    const seconds = part(value, 1);
    return seconds === undefined ? undefined : timestampOf(new Date(integer(seconds) * 1000));
  },
  intOrString: (value) => intOrString(value) || undefined,
  'intOrString?': intOrString,
};

function read(type: string, value: bigint | Buffer): unknown {
  const reader = readers[type];
  if (reader !== undefined) return reader(value);
  const table = messages[type];
  if (table === undefined || typeof value === 'bigint') return undefined;
  return readMessage(table, value, type);
}

/** Strings of lists and maps keep their empty value. */
function readElement(type: string, value: bigint | Buffer): unknown {
  return type === 'string' ? text(value) : read(type, value);
}

/** Go sends fields of value types also when they are zero: zeros, empty texts, and messages of nothing else. */
function saysNothing(value: bigint | Buffer): boolean {
  if (typeof value === 'bigint') return value === 0n;
  try {
    return [...wireFields(value)].every((field) => saysNothing(field.value));
  } catch {
    return false;
  }
}

function unknownField(number: number, place: string): ApiStatusError {
  return unsupportedMediaType(
    `field ${number} of ${place} is not accepted as application/vnd.kubernetes.protobuf; send application/json`,
  );
}

function readMessage(table: MessageTable, bytes: Buffer, place: string): JsonObject {
  const result: JsonObject = {};
  for (const { number, value } of wireFields(bytes)) {
    const row = table[number];
    if (row === undefined) {
      if (saysNothing(value)) continue;
      throw unknownField(number, place);
    }
    const [name, type] = row;
    if (type === 'ignored') continue;
    if (type.startsWith('[]')) {
      const list = Array.isArray(result[name]) ? result[name] : [];
      result[name] = [...list, readElement(type.slice(2), value)];
    } else if (type.startsWith('{}')) {
      const key = text(part(value, 1) ?? Buffer.of());
      const entry = readElement(type.slice(2), part(value, 2) ?? Buffer.of());
      result[name] = { ...(result[name] as JsonObject | undefined), [key]: entry };
    } else {
      const single = read(type, value);
      if (name === '') Object.assign(result, single);
      else if (single !== undefined) result[name] = single;
    }
  }
  return result;
}

function isIgnoredStatus([name, type]: FieldRow): boolean {
  return name === 'status' && type === 'ignored';
}

/**
 * Throws 415 for a kind or a field that is not in the table, 400 if the bytes are no Kubernetes message. The status that
 * an object carries is left out, as a write of the object leaves it alone; a write of the status itself is refused.
 */
export function decodeProtobuf(body: Buffer, isStatusWrite: boolean): JsonObject {
  if (!body.subarray(0, 4).equals(MAGIC)) throw badRequest('protobuf: the envelope is missing');
  const envelope = body.subarray(4);
  const type = part(envelope, 1) ?? Buffer.of();
  const apiVersion = text(part(type, 1) ?? Buffer.of());
  const kind = text(part(type, 2) ?? Buffer.of());
  const table = messages[`${apiVersion}/${kind}`];
  const raw = part(envelope, 2) ?? Buffer.of();
  const losesStatus = isStatusWrite && Object.values(table ?? {}).some(isIgnoredStatus);
  if (table === undefined || losesStatus) {
    throw unsupportedMediaType(
      `${losesStatus ? 'the status of ' : ''}${kind} of ${apiVersion} is not accepted as application/vnd.kubernetes.protobuf; send application/json`,
    );
  }
  if (typeof raw === 'bigint') throw badRequest('protobuf: the envelope holds no message');
  return { apiVersion, kind, ...readMessage(table, raw, kind) };
}
