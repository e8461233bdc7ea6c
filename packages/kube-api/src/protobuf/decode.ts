/**
 * Kubernetes' protobuf envelope (`k8s\0` and a `runtime.Unknown`) and the messages in it.
 *
 * Always: a field that is not in the table and says something refuses the whole request. Leaving it out would store
 * another object than the client sent.
 */
import type { ApiStatusError } from '../api-status-error.ts';
import { type JsonObject, timestampOf } from '../json.ts';
import { type FieldRow, kinds, messages } from '../kinds/messages.ts';
import { badRequest, unsupportedMediaType } from '../status.ts';
import {
  doubleOf,
  integerOf,
  lastField,
  MAGIC,
  saysNothing,
  textOf,
  type WireValue,
  wireFields,
} from './wire.ts';

/** A `Timestamp`; undefined for the empty message, which stands for no time. */
function instant(value: WireValue): Date | undefined {
  const seconds = lastField(value, 1);
  return seconds === undefined ? undefined : new Date(integerOf(seconds) * 1000);
}

function microTime(value: WireValue): string | undefined {
  const microseconds = Math.trunc(integerOf(lastField(value, 2)) / 1000);
  return instant(value)
    ?.toISOString()
    .replace(/\.\d{3}Z$/, `.${String(microseconds).padStart(6, '0')}Z`);
}

function time(value: WireValue): string | undefined {
  const date = instant(value);
  return date && timestampOf(date);
}

function json(value: WireValue): unknown {
  const text = textOf(lastField(value, 1));
  return text === '' ? undefined : JSON.parse(text);
}

function intOrString(value: WireValue): string | number {
  const isString = lastField(value, 1) === 1n;
  return isString ? textOf(lastField(value, 3)) : integerOf(lastField(value, 2));
}

/** `undefined` leaves the field out. */
const readers: Readonly<Record<string, (value: WireValue) => unknown>> = {
  string: textOf,
  int32: integerOf,
  int64: integerOf,
  double: doubleOf,
  bool: (value) => value === 1n,
  bytes: (value) => (typeof value === 'bigint' ? '' : value.toString('base64')),
  quantity: (value) => textOf(lastField(value, 1)),
  intOrString,
  time,
  microTime,
  json,
};

/** A value that is in its place in JSON even if it is zero or empty: an element, or the field of a pointer. */
function readValue(type: string, value: WireValue): unknown {
  const reader = readers[type];
  if (reader !== undefined) return reader(value);
  if (type.startsWith('|')) return Object.values(readMessage(type.slice(1), value)).at(-1);
  return readMessage(type, value);
}

function readSingle(type: string, value: WireValue): unknown {
  if (type.endsWith('?')) return readValue(type.slice(0, -1), value);
  const read = readValue(type, value);
  return read === '' || read === 0 || read === false ? undefined : read;
}

function refusal(what: string): ApiStatusError {
  return unsupportedMediaType(
    `${what} is not accepted as application/vnd.kubernetes.protobuf; send application/json`,
  );
}

/** Any key is a key, `__proto__` too. */
function setOwn(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  });
}

function readField(result: JsonObject, [name, type]: FieldRow, value: WireValue): void {
  if (type.startsWith('[]')) {
    result[name] ??= [];
    (result[name] as unknown[]).push(readValue(type.slice(2), value));
  } else if (type.startsWith('{}')) {
    result[name] ??= {};
    const entry = readValue(type.slice(2), lastField(value, 2) ?? Buffer.of());
    setOwn(result[name] as object, textOf(lastField(value, 1)), entry);
  } else {
    const single = readSingle(type, value);
    if (name === '') Object.assign(result, single);
    else if (single !== undefined) result[name] = single;
  }
}

function readMessage(name: string, value: WireValue): JsonObject {
  const table = messages[name]?.fields ?? {};
  const result: JsonObject = {};
  for (const field of wireFields(value)) {
    const row = table[field.number];
    if (row !== undefined) readField(result, row, field.value);
    else if (!saysNothing(field.value)) throw refusal(`field ${field.number} of ${name}`);
  }
  return result;
}

/** Throws 415 for a kind or a field that is not in the table, 400 if the bytes are no Kubernetes message. */
export function decodeProtobuf(body: Buffer): JsonObject {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC))
    throw badRequest('protobuf: the envelope is missing');
  const envelope = body.subarray(MAGIC.length);
  const type = lastField(envelope, 1) ?? Buffer.of();
  const apiVersion = textOf(lastField(type, 1));
  const kind = textOf(lastField(type, 2));
  const message = kinds[`${apiVersion}/${kind}`];
  if (message === undefined) throw refusal(`${kind} of ${apiVersion}`);
  return { apiVersion, kind, ...readMessage(message, lastField(envelope, 2) ?? Buffer.of()) };
}
