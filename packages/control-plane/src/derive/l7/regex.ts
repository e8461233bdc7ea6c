/** The text as an RE2 pattern that matches just it (Go's regexp.QuoteMeta). */
export function quoteRegex(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');
}
