// hot path: every name of every message head

/** A power of two: a hash picks the place of a name, and whoever comes there later has it. */
const PLACES = 512;
/** Longer ones are rare, and not worth the memory. */
const MAX_LENGTH = 64;

/** Names as they were written, and what `fieldName` answers. */
const written: string[] = new Array<string>(PLACES).fill('');
const known: string[] = new Array<string>(PLACES).fill('');

/**
 * The text from `from` to `to` in lower case. Few names make up nearly all heads, so each is made once: an answer from
 * memory allocates nothing, and is compared with others by its address.
 */
export function fieldName(text: string, from: number, to: number): string {
  const length = to - from;
  if (length === 0 || length > MAX_LENGTH) return text.slice(from, to).toLowerCase();
  const place = placeOf(text, from, length);
  if (isAt(text, from, written[place]!, length)) return known[place]!;
  const name = internalized(text.slice(from, to));
  written[place] = name;
  known[place] = internalized(name.toLowerCase());
  return known[place]!;
}

/** Of its length and three of its characters. */
function placeOf(text: string, from: number, length: number): number {
  const first = text.charCodeAt(from);
  const middle = text.charCodeAt(from + (length >> 1));
  const last = text.charCodeAt(from + length - 1);
  return (length * 37 + first * 5 + middle * 131 + last * 17) & (PLACES - 1);
}

function isAt(text: string, from: number, name: string, length: number): boolean {
  if (name.length !== length) return false;
  for (let i = 0; i < length; i++) {
    if (text.charCodeAt(from + i) !== name.charCodeAt(i)) return false;
  }
  return true;
}

/** V8 keeps one copy of each key, whereas a part of a text keeps the whole text. */
function internalized(text: string): string {
  return Object.keys({ [text]: 0 })[0]!;
}
