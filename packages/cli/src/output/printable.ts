/** Control characters but for tabs and line ends: what clusters say could rewrite what a terminal shows, or its title. */
const CONTROL = /[^\P{Cc}\t\n]/gu;

/** The text with control characters as JSON writes them, which changes no document of JSON. */
export function printable(text: string): string {
  return text.replaceAll(
    CONTROL,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
