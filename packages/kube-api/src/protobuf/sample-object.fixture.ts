/** Test fixture: objects with fields of every kind in the table. */
import type { JsonObject } from '../json.ts';
import { type FieldRow, messages } from '../kinds/messages.ts';

/** Answers whether a field is in the object. */
export type Choice = () => boolean;

const scalars: Readonly<Record<string, { zero?: unknown; values: readonly unknown[] }>> = {
  string: { zero: '', values: ['web', 'ü\n"'] },
  int32: { zero: 0, values: [1, 300, -1] },
  int64: { zero: 0, values: [1, -1, 2 ** 40] },
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
    for (const row of Object.values(messages[name]?.fields ?? {})) {
      if (this.#choose()) this.#field(result, row, [...above, name]);
    }
    return result;
  }

  #field(result: JsonObject, [name, type]: FieldRow, above: Above): void {
    const element = type.replace(/^\[\]|^\{\}/, '').replace(/[|?]/g, '');
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
      const rows = Object.values(messages[type.replace(/[|?]/g, '')]?.fields ?? {});
      const first = this.#turn++ % rows.length;
      const result: JsonObject = {};
      // The first that is not above.
      for (const row of [...rows.slice(first), ...rows.slice(0, first)]) {
        if (Object.keys(result).length === 0) this.#field(result, row, above);
      }
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
