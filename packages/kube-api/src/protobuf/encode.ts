/**
 * Objects as Kubernetes' protobuf: the envelope (`k8s\0` and a `runtime.Unknown`) around the message of their kind.
 *
 * Always: a field that is not in the table fails the whole answer, as it does the other way round.
 */
import { isObject, type JsonObject, listOr, objectOr } from '../json.ts';
import { type FieldRow, kinds, type Message, messages } from '../kinds/messages.ts';
import { MAGIC, varintBytes } from './wire.ts';

/** A number as a field. */
function integerField(number: number, value: number | bigint): Buffer {
  return Buffer.concat([varintBytes(number << 3), varintBytes(value)]);
}

function doubleField(number: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([varintBytes((number << 3) | 1), bytes]);
}

/** A text, or an encoded message, as a field. */
export function bytesField(number: number, value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([varintBytes((number << 3) | 2), varintBytes(bytes.length), bytes]);
}

function instant(text: string): Buffer {
  const seconds = Math.floor(Date.parse(text) / 1000);
  const micros = Number(/\.(\d{1,6})\d*Z$/.exec(text)?.[1]?.padEnd(6, '0') ?? 0);
  return Buffer.concat([integerField(1, seconds), integerField(2, micros * 1000)]);
}

function intOrString(value: unknown): Buffer {
  const [type, number, text] = typeof value === 'string' ? [1, 0, value] : [0, Number(value), ''];
  return Buffer.concat([integerField(1, type), integerField(2, number), bytesField(3, text)]);
}

/** What is in length-delimited fields. */
const contents: Readonly<Record<string, (value: unknown) => string | Buffer>> = {
  string: String,
  bytes: (value) => Buffer.from(String(value), 'base64'),
  intOrString,
  quantity: (value) => bytesField(1, String(value)),
  time: (value) => instant(String(value)),
  microTime: (value) => instant(String(value)),
  json: (value) => bytesField(1, JSON.stringify(value)),
};

/** Which of a choice's fields a value of JSON is. */
function choiceContent(message: string, value: unknown): Buffer {
  const form = (type: string): string => {
    if (type.startsWith('[]')) return 'list';
    return type.startsWith('bool') ? 'boolean' : 'object';
  };
  const found = Array.isArray(value) ? 'list' : typeof value;
  const fields = Object.entries(messages[message]?.fields ?? {});
  const row = fields.find(([, [, type]]) => form(type) === found);
  if (row === undefined) throw new Error(`a ${found} is no ${message}`);
  return encodedField(Number(row[0]), row[1][1], value);
}

function encodedValue(number: number, type: string, value: unknown): Buffer {
  if (type === 'int32' || type === 'int64' || type === 'bool') {
    return integerField(number, Number(value));
  }
  if (type === 'double') return doubleField(number, Number(value));
  if (type.startsWith('|')) return bytesField(number, choiceContent(type.slice(1), value));
  const content = contents[type]?.(value) ?? encodeMessage(type, objectOr(value));
  return bytesField(number, content);
}

function encodedField(number: number, type: string, value: unknown): Buffer {
  if (type.startsWith('[]')) {
    return Buffer.concat(listOr(value).map((item) => encodedValue(number, type.slice(2), item)));
  }
  if (type.startsWith('{}')) {
    const entries = Object.entries(objectOr(value)).map(([key, item]) =>
      Buffer.concat([bytesField(1, key), encodedValue(2, type.slice(2), item)]),
    );
    return Buffer.concat(entries.map((entry) => bytesField(number, entry)));
  }
  return encodedValue(number, type.replace('?', ''), value);
}

/** The names that a message gives to fields of JSON, those of the parts that JSON does not show included. */
function namesOf({ fields }: Message): string[] {
  return Object.values(fields).flatMap(([name, type]) =>
    name === '' ? namesOf(messages[type] ?? { fields: {}, atomic: false, typed: false }) : [name],
  );
}

const known = new Map<string, ReadonlySet<string>>();

function checkFields(name: string, message: Message, object: JsonObject): void {
  const names = known.get(name) ?? new Set([...namesOf(message), 'apiVersion', 'kind']);
  known.set(name, names);
  const lost = Object.keys(object).find((key) => !names.has(key) && object[key] !== undefined);
  if (lost !== undefined) throw new Error(`${name} has no field ${lost} in protobuf`);
}

function encodedRow(object: JsonObject, number: number, [name, type]: FieldRow): Buffer {
  if (name === '') return bytesField(number, encodeFields(messages[type], object));
  const value = object[name];
  return value === undefined || value === null ? Buffer.of() : encodedField(number, type, value);
}

function encodeFields(message: Message | undefined, object: JsonObject): Buffer {
  const rows = Object.entries(message?.fields ?? {});
  return Buffer.concat(rows.map(([number, row]) => encodedRow(object, Number(number), row)));
}

/** The bytes of a message of the table. Throws for a field that it has not. */
function encodeMessage(name: string, object: JsonObject): Buffer {
  const message = messages[name];
  if (message === undefined) throw new Error(`there is no message ${name}`);
  checkFields(name, message, object);
  return encodeFields(message, object);
}

function encodedBody(apiVersion: string, kind: string, object: JsonObject): Buffer {
  const message = kinds[`${apiVersion}/${kind}`];
  if (message !== undefined) return encodeMessage(message, object);
  const item = kinds[`${apiVersion}/${kind.replace(/List$/, '')}`];
  if (item === undefined) throw new Error(`there is no ${kind} of ${apiVersion} in protobuf`);
  return Buffer.concat([
    bytesField(1, encodeMessage('ListMeta', objectOr(object.metadata))),
    ...listOr(object.items).map((entry) => bytesField(2, encodeMessage(item, objectOr(entry)))),
  ]);
}

/** Whether objects of a kind, or lists of them, have a protobuf form. */
export function hasProtobuf(apiVersion: string, kind: string): boolean {
  return kinds[`${apiVersion}/${kind.replace(/List$/, '')}`] !== undefined;
}

/** A whole object, or a list of objects, in its envelope. Throws for what the table lacks. */
export function encodeProtobuf(object: unknown): Buffer {
  if (!isObject(object)) throw new Error('only objects have a protobuf form');
  const apiVersion = String(object.apiVersion);
  const kind = String(object.kind);
  const type = Buffer.concat([bytesField(1, apiVersion), bytesField(2, kind)]);
  return Buffer.concat([
    MAGIC,
    bytesField(1, type),
    bytesField(2, encodedBody(apiVersion, kind, object)),
    // Neither encoding nor media type of their own, but Go's encoder writes the fields.
    bytesField(3, ''),
    bytesField(4, ''),
  ]);
}

/** An event of a watch, behind its length: `metav1.WatchEvent`, with the object in its own envelope. */
export function encodeWatchEvent(type: string, object: unknown): Buffer {
  const event = Buffer.concat([
    bytesField(1, type),
    bytesField(2, bytesField(1, encodeProtobuf(object))),
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(event.length);
  return Buffer.concat([length, event]);
}
