import type { RouteMatch } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { ConfigProblem } from './problem.ts';
import {
  compileHeaderMatch,
  compileQueryMatch,
  compileRegex,
  type InputMatch,
} from './string-match.ts';

/** What of a request a route asks for (spec l7 1.4). */
export function compileMatch(match: RouteMatch | undefined, path: string): InputMatch {
  if (match === undefined) throw new ConfigProblem(path, 'is required');
  const tests: InputMatch[] = [];
  const byPath = compilePathMatch(match, path);
  if (byPath !== null) tests.push(byPath);
  tests.push(
    ...match.headers.map((header, i) => compileHeaderMatch(header, `${path}.headers[${i}]`)),
  );
  tests.push(
    ...match.queryParameters.map((query, i) =>
      compileQueryMatch(query, `${path}.query_parameters[${i}]`),
    ),
  );
  if (tests.length === 0) return () => true;
  if (tests.length === 1) return tests[0]!;
  return (input) => tests.every((test) => test(input));
}

/** What every path that matches begins with; empty if there is nothing. */
export function beginningOf(match: RouteMatch | undefined): string {
  if (match === undefined || match.caseSensitive === false) return '';
  const { case: kind, value } = match.pathSpecifier;
  if (kind === 'prefix' && value === '/') return '';
  return kind === 'prefix' || kind === 'path' || kind === 'pathSeparatedPrefix' ? value : '';
}

/** Null when every path matches. */
function compilePathMatch(match: RouteMatch, path: string): InputMatch | null {
  const { pathSpecifier } = match;
  const fold =
    match.caseSensitive === false ? (text: string) => text.toLowerCase() : (text: string) => text;
  switch (pathSpecifier.case) {
    case 'prefix': {
      const prefix = fold(pathSpecifier.value);
      return prefix === '/' ? null : (input) => fold(input.path).startsWith(prefix);
    }
    case 'path': {
      const exact = fold(pathSpecifier.value);
      return (input) => fold(input.path) === exact;
    }
    case 'pathSeparatedPrefix': {
      const prefix = fold(pathSpecifier.value);
      return (input) => {
        const text = fold(input.path);
        return (
          text.startsWith(prefix) && (text.length === prefix.length || text[prefix.length] === '/')
        );
      };
    }
    case 'safeRegex': {
      const matches = compileRegex(pathSpecifier.value, `${path}.safe_regex`);
      return (input) => matches(input.path);
    }
    case 'connectMatcher':
    case undefined:
      throw new ConfigProblem(path, 'path specifier is not supported');
  }
}
