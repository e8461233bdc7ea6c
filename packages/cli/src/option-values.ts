import { type Command, InvalidArgumentError } from 'commander';

const UNIT_MS = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** A duration as Go writes it, such as `90s` or `1m30s`, in milliseconds. Throws what commander shows with the option. */
export function parseDuration(text: string): number {
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) {
    throw new InvalidArgumentError('Write it like 90s or 1m30s.');
  }
  let sumMs = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)) {
    sumMs += Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
  }
  return sumMs;
}

/** A parser of whole numbers within bounds. */
export function integerBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Give a number from ${min} to ${max}.`);
  };
}

/** A parser of options that may be given several times: all values, in order. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** The option of commands that act on one namespace. */
export function withNamespace(command: Command): Command {
  return command.option('-n, --namespace <namespace>', 'namespace (default: that of the context)');
}

/** A parser of values between commas. */
export function listOf<T>(parseOne: (text: string) => T): (text: string) => T[] {
  return (text) => text.split(',').map((part) => parseOne(part.trim()));
}
