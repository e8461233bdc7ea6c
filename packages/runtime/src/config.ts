/** Where configuration is read from: the environment, or a plain object in tests. */
export type EnvSource = Readonly<Record<string, string | undefined>>;

/** One mistake in the configuration; all of them are reported together. */
export interface ConfigProblem {
  readonly key: string;
  readonly message: string;
}

/** One environment variable: how to read it, what it is without one, and one sentence for `docs/config.md`. */
export interface ConfigKey<T> {
  readonly key: string;
  readonly doc: string;
  /** As shown to people; null when the key is required. */
  readonly defaultText: string | null;
  readonly type: string;
  readonly secret: boolean;
  /** Throws an `Error` whose message says what is accepted. */
  readonly parse: (text: string) => T;
  readonly fallback: T | undefined;
  /** Whether an empty value says something, rather than counting as unset. */
  readonly acceptsEmpty: boolean;
}

/** Where each value of a configuration comes from: a missing key, or one of another type, does not compile. */
export type ConfigKeys<Config> = {
  readonly [Name in keyof Config]: ConfigKey<Config[Name]>;
};

/** The keys of any configuration. */
export type ConfigSchema = ConfigKeys<Readonly<Record<string, unknown>>>;

/** The frozen configuration, or every mistake in it. */
export type ParsedConfig<Config> =
  | { readonly ok: true; readonly value: Config }
  | { readonly ok: false; readonly error: readonly ConfigProblem[] };

interface KeyOptions<T> {
  /** Without a default the key is required. */
  readonly default?: T;
  readonly secret?: boolean;
  /** Default: an empty value counts as unset. */
  readonly acceptsEmpty?: boolean;
}

/** Any text; an empty value counts as unset. */
export function stringKey(
  key: string,
  doc: string,
  options: KeyOptions<string> = {},
): ConfigKey<string> {
  return define({ key, doc, type: 'string', parse: (text) => text }, options);
}

/** Text, or null when unset. */
export function optionalStringKey(key: string, doc: string): ConfigKey<string | null> {
  return define<string | null>(
    { key, doc, type: 'string', parse: (text) => text },
    { default: null },
  );
}

/** Text of a form of its own. `parse` throws an `Error` whose message says what is accepted. */
export function parsedKey<T>(
  key: string,
  doc: string,
  options: KeyOptions<T> & {
    /** What the form is called in `docs/config.md`. */
    readonly type: string;
    readonly parse: (text: string) => T;
    /** The default, for people. */
    readonly show?: (value: T) => string;
  },
): ConfigKey<T> {
  const { type, parse, show } = options;
  return define({ key, doc, type, parse }, options, show);
}

/**
 * All variables whose names begin alike: `PREFIX_*` in `key`. The value is by the rest of the name, and empty values
 * count.
 */
export function prefixKey(
  key: `${string}_*`,
  doc: string,
): ConfigKey<Readonly<Record<string, string>>> {
  const none = {};
  return define(
    { key, doc, type: 'strings', parse: () => none },
    { default: none },
    () => '(unset)',
  );
}

/** A whole number between the bounds, both included. */
export function integerKey(
  key: string,
  doc: string,
  options: KeyOptions<number> & { readonly min: number; readonly max: number },
): ConfigKey<number> {
  const { min, max } = options;
  const parse = (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < min || value > max) {
      throw new Error(`expected a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`);
    }
    return value;
  };
  return define({ key, doc, type: `integer ${min}..${max}`, parse }, options);
}

/** A TCP port to listen on; 0 picks a free one. */
export function portKey(key: string, doc: string, fallback: number): ConfigKey<number> {
  return integerKey(key, doc, { default: fallback, min: 0, max: 65_535 });
}

/** Exactly `true` or `false`, as Istio's ztunnel reads them (spec ztunnel 0). */
export function booleanKey(
  key: string,
  doc: string,
  options: KeyOptions<boolean>,
): ConfigKey<boolean> {
  const parse = (text: string): boolean => {
    if (text === 'true') return true;
    if (text === 'false') return false;
    throw new Error(`expected true or false, not ${JSON.stringify(text)}`);
  };
  return define({ key, doc, type: 'true | false', parse }, options);
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A duration such as `100ms`, `5s`, `1m`, `24h`, in milliseconds. */
export function durationKey(
  key: string,
  doc: string,
  options: KeyOptions<number>,
): ConfigKey<number> {
  const parse = (text: string): number => {
    const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
    if (amount === undefined || unit === undefined) {
      throw new Error(
        `expected a duration such as 100ms, 5s, 1m or 24h, not ${JSON.stringify(text)}`,
      );
    }
    return Number(amount) * UNIT_MS[unit]!;
  };
  return define({ key, doc, type: 'duration', parse }, options, showDuration);
}

/** In the largest unit that leaves no fraction. */
function showDuration(ms: number): string {
  const units = Object.entries(UNIT_MS).toReversed();
  const [unit, size] = units.find(([, candidate]) => ms % candidate === 0) ?? ['ms', 1];
  return ms === 0 ? '0s' : `${ms / size}${unit}`;
}

/** One of a few words. */
export function choiceKey<const Choice extends string>(
  key: string,
  doc: string,
  options: KeyOptions<NoInfer<Choice>> & { readonly choices: readonly Choice[] },
): ConfigKey<Choice> {
  const { choices } = options;
  const parse = (text: string): Choice => {
    const found = choices.find((choice) => choice === text);
    if (found === undefined) {
      throw new Error(`expected one of ${choices.join(', ')}, not ${JSON.stringify(text)}`);
    }
    return found;
  };
  return define({ key, doc, type: choices.join(' | '), parse }, options);
}

function define<T>(
  base: Pick<ConfigKey<T>, 'key' | 'doc' | 'type' | 'parse'>,
  options: KeyOptions<T>,
  show: (value: T) => string = String,
): ConfigKey<T> {
  const fallback = options.default;
  const defaultText =
    fallback === undefined ? null : fallback === null ? '(unset)' : show(fallback);
  const { secret = false, acceptsEmpty = false } = options;
  return { ...base, defaultText, secret, fallback, acceptsEmpty };
}

/** Reads every key; all mistakes are reported together. */
export function parseEnv<Config>(keys: ConfigKeys<Config>, env: EnvSource): ParsedConfig<Config> {
  const problems: ConfigProblem[] = [];
  const config: Record<string, unknown> = {};
  for (const [name, declared] of Object.entries<ConfigKey<unknown>>(keys)) {
    const { key, parse, fallback, acceptsEmpty } = declared;
    if (key.endsWith('_*')) {
      config[name] = withPrefix(env, key.slice(0, -1));
      continue;
    }
    const text = env[key];
    if (text === undefined || (text === '' && !acceptsEmpty)) {
      if (fallback === undefined) problems.push({ key, message: 'is required' });
      config[name] = fallback;
      continue;
    }
    try {
      config[name] = parse(text);
    } catch (error) {
      problems.push({ key, message: (error as Error).message });
    }
  }
  if (problems.length > 0) return { ok: false, error: problems };
  return { ok: true, value: Object.freeze(config) as Config };
}

function withPrefix(env: EnvSource, prefix: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [key, value] of Object.entries(env)) {
    if (key.startsWith(prefix) && key !== prefix && value !== undefined) {
      found[key.slice(prefix.length)] = value;
    }
  }
  return found;
}

/** The configuration for the config dump: as is, with secrets masked. */
export function redactConfig<Config>(
  keys: ConfigKeys<Config>,
  config: Config,
): Record<string, unknown> {
  const entries = Object.entries<ConfigKey<unknown>>(keys).map(([name, { secret }]) => [
    name,
    secret ? '(secret)' : config[name as keyof Config],
  ]);
  return Object.fromEntries(entries);
}

/** Exit status of a process whose configuration is wrong (sysexits EX_USAGE). */
export const EXIT_BAD_CONFIG = 64;

/** The mistakes as lines for people: one per key, each with what to set. */
export function describeProblems(problems: readonly ConfigProblem[]): string {
  return problems.map(({ key, message }) => `${key}: ${message}`).join('\n');
}
