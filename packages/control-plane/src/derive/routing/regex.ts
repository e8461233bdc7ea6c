import { RE2JS } from 're2js';

/** The text as an RE2 pattern that matches just it (Go's regexp.QuoteMeta). */
export function quoteRegex(text: string): string {
  return RE2JS.quote(text);
}

/** Whether RE2 can read the pattern. A proxy would refuse a whole listener for one that it cannot. */
export function isRegex(pattern: string): boolean {
  try {
    RE2JS.compile(pattern);
    return true;
  } catch {
    return false;
  }
}

/** As much of the pattern as a condition has room for. */
const SHOWN_CHARACTERS = 200;

/** In a sentence. */
export function regexProblem(pattern: string): string {
  const shown =
    pattern.length > SHOWN_CHARACTERS ? `${pattern.slice(0, SHOWN_CHARACTERS)}…` : pattern;
  return `"${shown}" is no regular expression of RE2`;
}

/** Whether the pattern has all the groups that the substitution names, as `\1`. */
export function isSubstitution(pattern: string, substitution: string): boolean {
  const groups = RE2JS.compile(pattern).groupCount();
  return [...substitution.matchAll(/\\(\d)/g)].every(([, group]) => Number(group) <= groups);
}
