import type {
  HeaderMatcher,
  QueryParameterMatcher,
} from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import type { RegexMatcher, StringMatcher } from '@aquifer/wire/gen/envoy/type/matcher/v3_pb';
import { compileExpression } from './expression.ts';
import { ConfigProblem } from './problem.ts';
import { bytesText } from './wire-text.ts';

export type TextMatch = (text: string) => boolean;

/**
 * Compiled once; regular expressions match the whole text and run in linear time (spec l7 0.6). What is matched is read
 * from messages byte by byte, expressions too, as Envoy does: a `.` is one byte.
 */
export function compileStringMatch(matcher: StringMatcher | undefined, path: string): TextMatch {
  const pattern = matcher?.matchPattern;
  const ignoreCase = matcher?.ignoreCase ?? false;
  switch (pattern?.case) {
    case 'exact':
      return compare(pattern.value, ignoreCase, (text, value) => text === value);
    case 'prefix':
      return compare(pattern.value, ignoreCase, (text, value) => text.startsWith(value));
    case 'suffix':
      return compare(pattern.value, ignoreCase, (text, value) => text.endsWith(value));
    case 'safeRegex':
      return compileRegex(pattern.value, `${path}.safe_regex`);
    default:
      throw new ConfigProblem(path, 'string matcher of a kind that is not supported');
  }
}

function compare(
  configured: string,
  ignoreCase: boolean,
  test: (text: string, value: string) => boolean,
): TextMatch {
  const value = bytesText(configured);
  if (!ignoreCase) return (text) => test(text, value);
  const folded = value.toLowerCase();
  return (text) => test(text.toLowerCase(), folded);
}

export function compileRegex(matcher: RegexMatcher, path: string): TextMatch {
  const compiled = compileExpression(bytesText(matcher.regex), path);
  return (text) => compiled.matches(text);
}

/** What header and query matchers look at. */
export interface MatchInput {
  readonly method: string;
  readonly authority: string;
  /** Without the query. */
  readonly path: string;
  /**
   * Whether a value of a header, named in lower case, passes; each stands for itself. Null if there is none. `:path` is
   * the path with its query, `:scheme` that of the client.
   */
  header(name: string, passes: TextMatch): boolean | null;
  /** First value of a query parameter as it was sent; null if it is absent. */
  query(name: string): string | null;
}

export type InputMatch = (input: MatchInput) => boolean;

export function compileHeaderMatch(matcher: HeaderMatcher, path: string): InputMatch {
  const name = matcher.name.toLowerCase();
  const passes = readerOf(name);
  const specifier = matcher.headerMatchSpecifier;
  const { invertMatch: isInverted, treatMissingHeaderAsEmpty: emptyIfMissing } = matcher;
  if (specifier.case !== 'stringMatch') {
    const wanted = (specifier.case === undefined || specifier.value) !== isInverted;
    return (input) => (passes(input, ANYTHING) !== null) === wanted;
  }
  const matches = compileStringMatch(specifier.value, `${path}.string_match`);
  // Of a header that is not there nothing is true, not even that it has another value.
  const ifMissing = emptyIfMissing && matches('') !== isInverted;
  return (input) => {
    const result = passes(input, matches);
    return result === null ? ifMissing : result !== isInverted;
  };
}

const ANYTHING: TextMatch = () => true;

/** Pseudo headers are read from where they travel in HTTP/1.1. */
function readerOf(name: string): (input: MatchInput, passes: TextMatch) => boolean | null {
  switch (name) {
    case ':method':
      return (input, passes) => passes(input.method);
    case ':authority':
    case 'host':
      return (input, passes) => passes(input.authority);
    default:
      return (input, passes) => input.header(name, passes);
  }
}

export function compileQueryMatch(matcher: QueryParameterMatcher, path: string): InputMatch {
  const { name, queryParameterMatchSpecifier: specifier } = matcher;
  if (specifier.case !== 'stringMatch') {
    const isWanted = specifier.case === undefined || specifier.value;
    return (input) => (input.query(name) !== null) === isWanted;
  }
  const matches = compileStringMatch(specifier.value, `${path}.string_match`);
  return (input) => {
    const value = input.query(name);
    return value !== null && matches(value);
  };
}
