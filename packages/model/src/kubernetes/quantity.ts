/** Amounts of resources (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/). */

const SUFFIXES: Readonly<Record<string, number>> = {
  '': 1,
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

const QUANTITY = /^([+-]?)(?=\.?\d)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?([numkMGTPE]?|[KMGTPE]i)$/;

/** A quantity such as `100m`, `64Mi`, `1e3` or `2` as a number; NaN for what is none. */
export function quantityValue(text: unknown): number {
  const match = QUANTITY.exec(String(text));
  if (match === null) return Number.NaN;
  const [, sign, whole, fraction, exponent = '0', suffix = ''] = match;
  return Number(`${sign}${whole}.${fraction}e${exponent}`) * (SUFFIXES[suffix] ?? Number.NaN);
}

/** Suffixes by powers of a thousand, from a billionth, and of 1024. */
const DECIMAL: readonly string[] = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const BINARY: readonly string[] = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const NANOS = 10n ** 9n;
/** Of larger ones no value is left after Kubernetes' bounds: 2^63 and a billionth. */
const MAX_DIGITS = 40;

/**
 * The same amount as Kubernetes writes it: with the largest suffix of its kind that leaves a whole number (`500m` for `0.5`,
 * `1Gi` for `1024Mi`), rounded up to a billionth. Null for what is no quantity.
 */
export function canonicalQuantity(value: unknown): string | null {
  const match = QUANTITY.exec(String(value));
  if (match === null) return null;
  const [text, sign, whole = '', fraction = '', exponent, suffix = ''] = match;
  const digits = `${whole}${fraction}`;
  const power = Number(exponent ?? 0) - fraction.length;
  if (digits.length > MAX_DIGITS || Math.abs(power) > MAX_DIGITS) return text;
  const nanos = inNanos(BigInt(digits), power, suffix);
  const isBinary = suffix.endsWith('i') && nanos >= 1024n * NANOS;
  const amount = isBinary ? binaryText(nanos) : decimalText(nanos, exponent !== undefined);
  return sign === '-' && nanos > 0n ? `-${amount}` : amount;
}

function inNanos(digits: bigint, power: number, suffix: string): bigint {
  const binary = BINARY.indexOf(suffix, 1);
  const thousands = binary < 0 ? DECIMAL.indexOf(suffix) : 3;
  const factor = binary < 0 ? 1n : 1024n ** BigInt(binary);
  const shift = power + 3 * thousands;
  if (shift >= 0) return digits * factor * 10n ** BigInt(shift);
  return dividedUp(digits * factor, 10n ** BigInt(-shift));
}

function dividedUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}

function binaryText(nanos: bigint): string {
  let amount = dividedUp(nanos, NANOS);
  let suffix = 0;
  for (; amount % 1024n === 0n && suffix < BINARY.length - 1; suffix++) amount /= 1024n;
  return `${amount}${BINARY[suffix]}`;
}

function decimalText(nanos: bigint, hasExponent: boolean): string {
  if (nanos === 0n) return '0';
  let amount = nanos;
  let suffix = 0;
  for (; amount % 1000n === 0n && suffix < DECIMAL.length - 1; suffix++) amount /= 1000n;
  if (!hasExponent) return `${amount}${DECIMAL[suffix]}`;
  return suffix === 3 ? String(amount) : `${amount}e${(suffix - 3) * 3}`;
}
