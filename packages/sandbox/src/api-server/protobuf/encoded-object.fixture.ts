/** Test fixture: objects with fields of every kind in the table, and their protobuf encoding. */
import type { JsonObject } from '../json.ts';
import { encodeField, encodeMessage } from './encode.ts';
import { type FieldRow, messages } from './messages.ts';

/** Answers whether a field is in the object. */
export type Choice = () => boolean;

const scalars: Readonly<Record<string, { zero?: unknown; values: readonly unknown[] }>> = {
  string: { zero: '', values: ['web', 'ü\n"'] },
  int: { zero: 0, values: [1, 300, -1, 2 ** 40] },
  double: { zero: 0, values: [2.5, -1e300] },
  bool: { zero: false, values: [true] },
  bytes: { zero: '', values: [Buffer.of(0, 255, 7).toString('base64')] },
  intOrString: { zero: 0, values: [80, '25%', 'http'] },
  quantity: { values: ['1500m', '0'] },
  time: { values: ['2024-02-29T23:59:59Z', '1969-12-31T23:59:00Z'] },
  microTime: { values: ['2024-02-29T23:59:59.000042Z'] },
  json: { zero: false, values: [{ a: [1, null] }, 'text', 0] },
};

/** Names of the messages above, so that a schema within a schema comes to an end. */
type Above = readonly string[];

class Sampler {
  readonly #choose: Choice;
  #turn = 0;

  constructor(choose: Choice) {
    this.#choose = choose;
  }

  message(name: string, above: Above): JsonObject {
    const result: JsonObject = {};
    for (const row of Object.values(messages[name] ?? {})) {
      if (this.#choose()) this.#field(result, row, [...above, name]);
    }
    return result;
  }

  #field(result: JsonObject, [name, type]: FieldRow, above: Above): void {
    const element = type.replace(/^\[\]|^\{\}/, '').replace(/^\|/, '');
    if (above.includes(element)) return;
    if (type.startsWith('[]')) {
      result[name] = [this.#value(type.slice(2), above), this.#value(type.slice(2), above)];
    } else if (type.startsWith('{}')) {
      const key = this.#choose() ? 'key' : '__proto__';
      result[name] = Object.fromEntries([[key, this.#value(type.slice(2), above)]]);
    } else if (name === '') {
      Object.assign(result, this.message(type, above));
    } else {
      result[name] = this.#value(type, above);
    }
  }

  #value(type: string, above: Above): unknown {
    if (type.startsWith('|')) {
      const rows = Object.values(messages[type.slice(1)] ?? {});
      const result: JsonObject = {};
      const row = rows[this.#turn++ % rows.length];
      if (row !== undefined) this.#field(result, row, above);
      return Object.values(result).at(-1);
    }
    const scalar = scalars[type.replace('?', '')];
    if (scalar === undefined) return this.message(type, above);
    const values = type.endsWith('?') ? [scalar.zero, ...scalar.values] : scalar.values;
    return values[this.#turn++ % values.length];
  }
}

/** An object of a message of the table. Fields that JSON leaves out when they are zero are not zero. */
export function sampleObject(message: string, choose: Choice): JsonObject {
  return new Sampler(choose).message(message, []);
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

function integer(number: number, value: number | bigint): Buffer {
  return encodeMessage(varint(BigInt(number << 3)), varint(BigInt(value)));
}

function instant(text: string): Buffer {
  const seconds = Math.floor(Date.parse(text) / 1000);
  const micros = Number(/\.(\d{6})Z$/.exec(text)?.[1] ?? 0);
  return encodeMessage(integer(1, seconds), integer(2, micros * 1000));
}

function double(number: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return encodeMessage(varint(BigInt((number << 3) | 1)), bytes);
}

function intOrString(value: unknown): Buffer {
  if (typeof value === 'string') {
    return encodeMessage(integer(1, 1), integer(2, 0), encodeField(3, value));
  }
  return encodeMessage(integer(1, 0), integer(2, Number(value)), encodeField(3, ''));
}

/** Content of length-delimited fields. */
const contents: Readonly<Record<string, (value: unknown) => string | Buffer>> = {
  string: String,
  bytes: (value) => Buffer.from(String(value), 'base64'),
  intOrString,
  quantity: (value) => encodeField(1, String(value)),
  time: (value) => instant(String(value)),
  microTime: (value) => instant(String(value)),
  json: (value) => encodeField(1, JSON.stringify(value)),
};

function encodedChoice(message: string, value: unknown): Buffer {
  const shape = (type: string): string => {
    if (type.startsWith('[]')) return 'list';
    return type.startsWith('bool') ? 'boolean' : 'object';
  };
  const found = Array.isArray(value) ? 'list' : typeof value;
  const row = Object.entries(messages[message] ?? {}).find(([, [, type]]) => shape(type) === found);
  return row === undefined ? Buffer.of() : encodedField(Number(row[0]), row[1][1], value);
}

function encodedValue(number: number, type: string, value: unknown): Buffer {
  if (type === 'int' || type === 'bool') return integer(number, Number(value));
  if (type === 'double') return double(number, Number(value));
  if (type.startsWith('|')) return encodeField(number, encodedChoice(type.slice(1), value));
  const content = contents[type]?.(value) ?? encoded(type, value as JsonObject);
  return encodeField(number, content);
}

function encodedField(number: number, type: string, value: unknown): Buffer {
  if (type.startsWith('[]')) {
    const elements = value as unknown[];
    return encodeMessage(...elements.map((item) => encodedValue(number, type.slice(2), item)));
  }
  if (type.startsWith('{}')) {
    const entries = Object.entries(value as object).map(([key, item]) =>
      encodeMessage(encodeField(1, key), encodedValue(2, type.slice(2), item)),
    );
    return encodeMessage(...entries.map((entry) => encodeField(number, entry)));
  }
  return encodedValue(number, type.replace('?', ''), value);
}

/** The object as bytes of its message. */
export function encoded(message: string, object: JsonObject): Buffer {
  const fields = Object.entries(messages[message] ?? {}).map(([number, [name, type]]) => {
    if (name === '') return encodeField(Number(number), encoded(type, object));
    const value = object[name];
    return value === undefined ? Buffer.of() : encodedField(Number(number), type, value);
  });
  return encodeMessage(...fields);
}
