/** RFC 3339 in UTC with whole seconds, as metav1.Time is written; the fraction is cut off. */
export function timestampOf(date: Date): string {
  return `${date.toISOString().slice(0, -'.000Z'.length)}Z`;
}
