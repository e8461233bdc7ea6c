/** Before the first change: ztunnel silences a library of its DNS proxy by name, whatever else is asked for. */
const ALWAYS = 'hickory_server::server=off';

const LEVELS: ReadonlySet<string> = new Set(['off', 'error', 'warn', 'info', 'debug', 'trace']);

/** Modules are written as in ztunnel, `ztunnel::proxy`; our scopes have their last part. */
const OWN_MODULE = /^ztunnel::/;

/** The log levels in force, as they are asked for at `/logging` (spec ztunnel 9.3). */
export class LogFilter {
  readonly #initial: ReadonlyMap<string, string>;
  #levels: ReadonlyMap<string, string>;

  /** A list that is not understood counts as `info`. */
  constructor(levels: string) {
    this.#initial = parse(`${ALWAYS},${levels}`) ?? new Map([['', 'info']]);
    this.#levels = this.#initial;
  }

  /** Adds a list of `level` or `module=level`, from the beginning if `isReset`. False if it is not understood. */
  change(list: string, isReset: boolean): boolean {
    const added = parse(list);
    if (added === null) return false;
    this.#levels = new Map([...(isReset ? this.#initial : this.#levels), ...added]);
    return true;
  }

  /** The list that is in force, the general level last. */
  get text(): string {
    return this.#list((module) => module);
  }

  /** The same for our own loggers. */
  get scopes(): string {
    return this.#list((module) => module.replace(OWN_MODULE, ''));
  }

  #list(nameOf: (module: string) => string): string {
    const modules = [...this.#levels].filter(([module]) => module !== '');
    const general = this.#levels.get('');
    return [
      ...modules.map(([module, level]) => `${nameOf(module)}=${level}`),
      ...(general === undefined ? [] : [general]),
    ].join(',');
  }
}

/** Levels by module, the general one under the empty name; null if a part is not understood. */
function parse(list: string): ReadonlyMap<string, string> | null {
  const levels = new Map<string, string>();
  for (const part of list.split(',').filter((text) => text !== '')) {
    const [level = '', module = ''] = part.split('=').toReversed();
    if (!LEVELS.has(level.toLowerCase())) return null;
    levels.set(module, level.toLowerCase());
  }
  return levels;
}
