/** The fields of the mesh's configuration, which are read one by one. */

/** Names the field at fault. */
export class MeshConfigError extends Error {
  override readonly name = 'MeshConfigError';

  constructor(path: string, problem: string) {
    super(`mesh configuration: ${path} ${problem}`);
  }
}

/** An object of the configuration; it knows which of its fields nobody has asked for. */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #path: string;
  readonly #read = new Set<string>();
  readonly #parts: Fields[] = [];

  constructor(value: unknown, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new MeshConfigError(path, 'is no object');
    }
    this.#values = value as Readonly<Record<string, unknown>>;
    this.#path = path;
  }

  path(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }

  /** Null if it is not there, or empty. */
  text(name: string): string | null {
    const value = this.#value(name) ?? '';
    if (typeof value !== 'string') throw new MeshConfigError(this.path(name), 'is no text');
    return value === '' ? null : value;
  }

  /** Null if it is not there. */
  number(name: string): number | null {
    const value = this.#value(name);
    if (value === undefined) return null;
    const number = Number(value);
    if (Number.isFinite(number)) return number;
    throw new MeshConfigError(this.path(name), 'is no number');
  }

  /** False if it is not there. */
  flag(name: string): boolean {
    const value = this.#value(name) ?? false;
    if (typeof value !== 'boolean')
      throw new MeshConfigError(this.path(name), 'is neither true nor false');
    return value;
  }

  texts(name: string): readonly string[] {
    const value = this.#value(name) ?? [];
    if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) {
      throw new MeshConfigError(this.path(name), 'is no list of texts');
    }
    return value as string[];
  }

  /** Null if it is not there. */
  object(name: string): Fields | null {
    const value = this.#value(name);
    return value === undefined ? null : this.#part(value, this.path(name));
  }

  list(name: string): Fields[] {
    const value = this.#value(name) ?? [];
    if (!Array.isArray(value)) throw new MeshConfigError(this.path(name), 'is no list');
    return value.map((item, index) => this.#part(item, `${this.path(name)}[${index}]`));
  }

  /** All of it, which counts as read. */
  all(): Readonly<Record<string, unknown>> {
    for (const name of Object.keys(this.#values)) this.#read.add(name);
    return this.#values;
  }

  unread(): string[] {
    const own = Object.keys(this.#values).filter((name) => !this.#read.has(name));
    return [...own.map((name) => this.path(name)), ...this.#parts.flatMap((part) => part.unread())];
  }

  #value(name: string): unknown {
    this.#read.add(name);
    return this.#values[name] ?? undefined;
  }

  #part(value: unknown, path: string): Fields {
    const part = new Fields(value, path);
    this.#parts.push(part);
    return part;
  }
}
