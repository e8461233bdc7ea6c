/** No vowels and no look-alikes (apimachinery `util/rand`). */
const LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

/** A letter of generated names for each byte: of random ones, or of a hash. */
export function nameLetters(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => LETTERS[byte % LETTERS.length]).join('');
}
