import { LogOutput } from './log-output.ts';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace';

const RANK: Readonly<Record<LogLevel | 'off', number>> = {
  off: 0,
  error: 1,
  warn: 2,
  info: 3,
  debug: 4,
  trace: 5,
};

/** Numbers print bare, strings quoted; `bare()` prints a string without quotes; null and undefined are left out. */
export type LogFields = Readonly<
  Record<string, string | number | boolean | Bare | null | undefined>
>;

/** Text that the plain format prints without quotes, such as an address. */
export class Bare {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export function bare(text: string): Bare {
  return new Bare(text);
}

/**
 * Writes lines in the two formats of Istio's ztunnel (spec ztunnel 9.2): tab-separated text, or one JSON object a
 * line. Levels are per scope and can change while the process runs.
 */
export interface Logger {
  isEnabled(level: LogLevel): boolean;
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  log(level: LogLevel, message: string, fields?: LogFields): void;
  /** Replaces the levels of every scope; a list as in `LogOptions`. What is not understood in it is left out. */
  setLevels(levels: string): void;
  /** The same sink and levels under another scope. */
  scope(name: string): Logger;
}

export interface LogOptions {
  readonly format: 'plain' | 'json';
  /** Receives whole lines, each ending in a newline. Default: standard output. */
  readonly write?: (text: string) => void;
  /** Comma list of `level` or `scope=level`, as RUST_LOG. Default `info`. */
  readonly levels?: string;
  readonly now?: () => Date;
}

/** Writes whole lines to standard output without ever waiting for its reader; see `LogOutput`. */
export function stdoutWriter(format: LogOptions['format']): (line: string) => void {
  const describeLoss = (lines: number): string =>
    formatter(format)({
      time: timestamp(new Date()),
      level: 'warn',
      scope: 'log',
      message: 'lines are missing here: nobody read them in time',
      fields: { lines },
    });
  const output = new LogOutput(describeLoss);
  return (line) => output.write(line);
}

class LogLevels {
  #fallback: number = RANK.info;
  #byScope: ReadonlyMap<string, number> = new Map();

  constructor(spec = 'info') {
    this.replace(spec);
  }

  replace(spec: string): void {
    let fallback: number = RANK.info;
    const byScope = new Map<string, number>();
    for (const part of spec.split(',').map((text) => text.trim())) {
      if (part === '') continue;
      const [scope, level] = part.includes('=') ? part.split('=', 2) : [null, part];
      if (level === undefined || !Object.hasOwn(RANK, level)) continue;
      const rank = RANK[level as LogLevel];
      if (scope === null || scope === undefined) fallback = rank;
      else byScope.set(scope, rank);
    }
    this.#fallback = fallback;
    this.#byScope = byScope;
  }

  isEnabled(scope: string, level: LogLevel): boolean {
    return RANK[level] <= (this.#byScope.get(scope) ?? this.#fallback);
  }
}

export function createLogger(scope: string, options: LogOptions): Logger {
  const sink = {
    format: formatter(options.format),
    write: options.write ?? stdoutWriter(options.format),
    levels: new LogLevels(options.levels),
    now: options.now ?? (() => new Date()),
  };
  return new ScopedLogger(scope, sink);
}

interface Line {
  readonly time: string;
  readonly level: LogLevel;
  readonly scope: string;
  readonly message: string;
  readonly fields: LogFields;
}

interface Sink {
  readonly format: (line: Line) => string;
  readonly write: (text: string) => void;
  readonly levels: LogLevels;
  readonly now: () => Date;
}

class ScopedLogger implements Logger {
  readonly #scope: string;
  readonly #sink: Sink;

  constructor(scope: string, sink: Sink) {
    this.#scope = scope;
    this.#sink = sink;
  }

  isEnabled(level: LogLevel): boolean {
    return this.#sink.levels.isEnabled(this.#scope, level);
  }
  error(message: string, fields?: LogFields): void {
    this.log('error', message, fields);
  }
  warn(message: string, fields?: LogFields): void {
    this.log('warn', message, fields);
  }
  info(message: string, fields?: LogFields): void {
    this.log('info', message, fields);
  }
  debug(message: string, fields?: LogFields): void {
    this.log('debug', message, fields);
  }
  log(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (!this.isEnabled(level)) return;
    const { format, write, now } = this.#sink;
    write(format({ time: timestamp(now()), level, scope: this.#scope, message, fields }));
  }
  setLevels(levels: string): void {
    this.#sink.levels.replace(levels);
  }
  scope(name: string): Logger {
    return new ScopedLogger(name, this.#sink);
  }
}

/** The last second that was written, as its number and as text up to the decimal point: lines come many a second. */
const lastSecond = { number: Number.NaN, text: '' };

/** ISO 8601 has milliseconds; ztunnel prints microseconds. */
function timestamp(date: Date): string {
  const second = Math.floor(date.getTime() / 1000);
  if (second !== lastSecond.number) {
    lastSecond.number = second;
    lastSecond.text = date.toISOString().slice(0, -'000Z'.length);
  }
  return `${lastSecond.text}${String(date.getUTCMilliseconds()).padStart(3, '0')}000Z`;
}

/** Printable ASCII in which JSON escapes nothing; to look costs a third of `JSON.stringify`. */
const PLAIN_TEXT = /^[ !#-[\]-~]*$/;

function quote(text: string): string {
  return PLAIN_TEXT.test(text) ? `"${text}"` : JSON.stringify(text);
}

function formatter(format: LogOptions['format']): Sink['format'] {
  return format === 'json' ? formatJson : formatPlain;
}

function formatPlain({ time, level, scope, message, fields }: Line): string {
  let text = `${time}\t${level}\t${scope}\t${message}\t`;
  let separator = '';
  for (const key of Object.keys(fields)) {
    const value = fields[key];
    if (value === null || value === undefined) continue;
    text += `${separator}${key}=${shown(value)}`;
    separator = ' ';
  }
  return `${text}\n`;
}

function shown(value: string | number | boolean | Bare): string {
  if (typeof value === 'string') return quote(value);
  return value instanceof Bare ? value.text : JSON.stringify(value);
}

function formatJson({ time, level, scope, message, fields }: Line): string {
  const object: Record<string, unknown> = { level, time, scope, message };
  for (const [key, value] of Object.entries(fields)) {
    if (value === null || value === undefined) continue;
    object[key] = value instanceof Bare ? value.text : value;
  }
  return `${JSON.stringify(object)}\n`;
}
