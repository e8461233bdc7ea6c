import { MAX_PATTERN_COST, patternCost } from '@aquifer/model/expressions';
import { RE2JS } from 're2js';

/** The text as an RE2 pattern that matches just it (Go's regexp.QuoteMeta). */
export function quoteRegex(text: string): string {
  return RE2JS.quote(text);
}

/** Whether proxies can read the pattern. They would refuse a whole listener for one that they cannot. */
export function isRegex(pattern: string): boolean {
  if (isTooLarge(pattern)) return false;
  try {
    RE2JS.compile(pattern);
    return true;
  } catch {
    return false;
  }
}

function isTooLarge(pattern: string): boolean {
  return patternCost(pattern) > MAX_PATTERN_COST;
}

/** As much of the pattern as a condition has room for. */
const SHOWN_CHARACTERS = 200;

/** In a sentence. */
export function regexProblem(pattern: string): string {
  const shown =
    pattern.length > SHOWN_CHARACTERS ? `${pattern.slice(0, SHOWN_CHARACTERS)}…` : pattern;
  return isTooLarge(pattern)
    ? `"${shown}" is too large with its repetitions`
    : `"${shown}" is no regular expression of RE2`;
}

/** Whether the pattern has all the groups that the substitution names, as `\1`. */
export function isSubstitution(pattern: string, substitution: string): boolean {
  const groups = RE2JS.compile(pattern).groupCount();
  return [...substitution.matchAll(/\\(\d)/g)].every(([, group]) => Number(group) <= groups);
}
