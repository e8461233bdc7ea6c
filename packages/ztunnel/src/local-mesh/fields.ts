import { type Cidr, canonicalIpAddress } from '@aquifer/model';

/** What is wrong with a local file, and where: `workloads[2].protocol: expected HBONE or TCP, not "http"`. */
export class LocalMeshError extends Error {}

/** The members of a mapping, each read once; those that nobody has read are mistakes. */
export class Fields {
  readonly #path: string;
  readonly #members: Readonly<Record<string, unknown>>;
  readonly #unread: Set<string>;

  constructor(value: unknown, path: string) {
    this.#path = path;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new LocalMeshError(`${path}: expected a mapping, not ${JSON.stringify(value)}`);
    }
    this.#members = value as Record<string, unknown>;
    this.#unread = new Set(Object.keys(value));
  }

  /** Throws if a member was not read: it would have no effect. */
  end(): void {
    const [unknown] = this.#unread;
    if (unknown !== undefined) throw new LocalMeshError(`${this.#path}.${unknown}: unknown field`);
  }

  /** Without a default the member is required. */
  text(name: string, fallback?: string): string {
    const value = this.#take(name) ?? fallback;
    if (typeof value !== 'string') throw this.#mistake(name, 'a string', value);
    return value;
  }

  flag(name: string, fallback?: boolean): boolean {
    const value = this.#take(name) ?? fallback;
    if (typeof value !== 'boolean') throw this.#mistake(name, 'true or false', value);
    return value;
  }

  /** A whole number that is not negative. */
  number(name: string, fallback?: number): number {
    const value = this.#take(name) ?? fallback;
    if (!isCount(value)) throw this.#mistake(name, 'a whole number', value);
    return value;
  }

  /** One of the words on the left, as the value on the right. */
  choice<T>(name: string, words: Readonly<Record<string, T>>, fallback?: T): T {
    const word = this.#take(name);
    if ((word === undefined || word === null) && fallback !== undefined) return fallback;
    if (typeof word === 'string' && Object.hasOwn(words, word)) return words[word]!;
    throw this.#mistake(name, `one of ${Object.keys(words).join(', ')}`, word);
  }

  list<T>(name: string, read: (item: unknown, path: string) => T, isRequired = false): T[] {
    const value = this.#take(name) ?? (isRequired ? undefined : []);
    if (!Array.isArray(value)) throw this.#mistake(name, 'a list', value);
    return value.map((item, i) => read(item, `${this.#path}.${name}[${i}]`));
  }

  map<T>(
    name: string,
    read: (item: unknown, path: string) => T,
    isRequired = false,
  ): Map<string, T> {
    const value = this.#take(name) ?? (isRequired ? undefined : {});
    if (typeof value !== 'object' || Array.isArray(value)) {
      throw this.#mistake(name, 'a mapping', value);
    }
    return new Map(
      Object.entries(value as object).map(([key, item]) => [
        key,
        read(item, `${this.#path}.${name}["${key}"]`),
      ]),
    );
  }

  /** Null if the member is left out. */
  optional<T>(name: string, read: (value: unknown, path: string) => T): T | null {
    const value = this.#take(name);
    return value === undefined || value === null ? null : read(value, `${this.#path}.${name}`);
  }

  #take(name: string): unknown {
    this.#unread.delete(name);
    return Object.hasOwn(this.#members, name) ? this.#members[name] : undefined;
  }

  #mistake(name: string, expected: string, got: unknown): LocalMeshError {
    return mistake(`${this.#path}.${name}`, expected, got);
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}

export function mistake(path: string, expected: string, got: unknown): LocalMeshError {
  const shown = got === undefined ? 'nothing' : JSON.stringify(got);
  return new LocalMeshError(`${path}: expected ${expected}, not ${shown}`);
}

export function readText(value: unknown, path: string): string {
  if (typeof value !== 'string') throw mistake(path, 'a string', value);
  return value;
}

export function readCount(value: unknown, path: string): number {
  if (!isCount(value)) throw mistake(path, 'a whole number', value);
  return value;
}

export function readIp(value: unknown, path: string): string {
  const ip = typeof value === 'string' ? canonicalIpAddress(value) : null;
  if (ip === null) throw mistake(path, 'an IP address', value);
  return ip;
}

/** `10.0.0.0/8`. */
export function readCidr(value: unknown, path: string): Cidr {
  const [text = '', length = ''] = typeof value === 'string' ? value.split('/') : [];
  const address = canonicalIpAddress(text);
  const prefixLength = Number(length);
  const most = address?.includes(':') === true ? 128 : 32;
  if (address === null || !/^\d+$/.test(length) || prefixLength > most) {
    throw mistake(path, 'a range such as 10.0.0.0/8', value);
  }
  return { address, prefixLength };
}
