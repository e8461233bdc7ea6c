/** RFC 3339 in UTC with whole seconds, as metav1.Time is written; the fraction is cut off. */
export function timestampOf(date: Date): string {
  return `${date.toISOString().slice(0, -'.000Z'.length)}Z`;
}

/** The same to a millionth of a second, as metav1.MicroTime is written. */
export function microTimestampOf(date: Date): string {
  return date.toISOString().replace('Z', '000Z');
}
