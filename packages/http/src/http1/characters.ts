// hot path: every character of every message head

const NAME = 1;
const VALUE = 2;
const TARGET = 4;

/** What each character of latin1 may be part of. */
const CLASSES: Uint8Array = Uint8Array.from({ length: 256 }, (_, code) => {
  const character = String.fromCharCode(code);
  return (
    (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(character) ? NAME : 0) |
    (/[\t\x20-\x7e\x80-\xff]/.test(character) ? VALUE : 0) |
    (/[\x21-\x7e]/.test(character) ? TARGET : 0)
  );
});

const TAB = 0x09;
const SPACE = 0x20;

// One pass that finds the end and checks what stands before it takes a third of the time of `indexOf` and a regular
// expression for each name and value (November 2026).

/** Where the field name that starts at `from` ends: at the first character that cannot be part of it. */
export function endOfName(text: string, from: number): number {
  let at = from;
  while (at < text.length && (CLASSES[text.charCodeAt(at)]! & NAME) !== 0) at += 1;
  return at;
}

/** The same for a field value, a status line or a reason: in a correct message, where its line ends. */
export function endOfValue(text: string, from: number): number {
  let at = from;
  while (at < text.length && (CLASSES[text.charCodeAt(at)]! & VALUE) !== 0) at += 1;
  return at;
}

/** The same for a request target. */
export function endOfTarget(text: string, from: number): number {
  let at = from;
  while (at < text.length && (CLASSES[text.charCodeAt(at)]! & TARGET) !== 0) at += 1;
  return at;
}

/** The text from `from` to `to` without blanks around it (OWS, RFC 9110 5.6.3). */
export function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

export function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}
