/** Fields that belong to one connection (RFC 9110 7.6.1). */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Whether a field says how a message is read, which is for the codec alone: a route that set one would have two readers
 * disagree about where a message ends (spec l7 1.8). `name` in lower case.
 */
export function isConnectionField(name: string): boolean {
  return name === 'content-length' || HOP_BY_HOP.has(name);
}

const FIELD_VALUE = /^[\t -~\u{80}-\u{10ffff}]*$/u;

/** Whether a field can have the value: one with control characters could end its line. */
export function isFieldValue(value: string): boolean {
  return FIELD_VALUE.test(value);
}
