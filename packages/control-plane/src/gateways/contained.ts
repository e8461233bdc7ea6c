/**
 * Whether everything that `wanted` says stands in `actual` too: the API server adds defaults, which are no difference.
 * Lists must have the same length, and the same items in the same order.
 */
export function isContained(wanted: unknown, actual: unknown): boolean {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(actual) || wanted.length !== actual.length) return false;
    return wanted.every((item, index) => isContained(item, actual[index]));
  }
  if (typeof wanted !== 'object' || wanted === null) return wanted === actual;
  if (typeof actual !== 'object' || actual === null) return Object.keys(wanted).length === 0;
  return Object.entries(wanted).every(([key, value]) =>
    isContained(value, (actual as Readonly<Record<string, unknown>>)[key]),
  );
}
