import type { RedirectAction, RouteMatch } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import type { RegexMatchAndSubstitute } from '@aquifer/wire/gen/envoy/type/matcher/v3_pb';
import type { RE2JS } from 're2js';
import { compileExpression } from './expression.ts';
import { targetText } from './wire-text.ts';

/** Rewrites the path (query included) of a matched request. */
export type PathRewrite = (path: string) => string;

/** Replaces what the route matched by: the prefix, or the whole path. */
export function replaceMatched(match: RouteMatch | undefined, configured: string): PathRewrite {
  const replacement = targetText(configured);
  const specifier = match?.pathSpecifier;
  const isPrefix = specifier?.case === 'prefix' || specifier?.case === 'pathSeparatedPrefix';
  const matched = isPrefix ? specifier.value.length : null;
  return (path) => {
    const query = path.indexOf('?');
    const end = query < 0 ? path.length : query;
    return replacement + path.slice(matched ?? end);
  };
}

/** Replaces every match in the path; the query stays. `\1` in the substitution is the first group, as in RE2. */
export function compileRegexRewrite(rewrite: RegexMatchAndSubstitute, path: string): PathRewrite {
  const regex = rewrite.pattern?.regex ?? '';
  const substitution = targetText(rewrite.substitution).split(/\\(\d)/);
  const compiled = compileExpression(regex, path);
  return (target) => {
    const query = target.indexOf('?');
    const end = query < 0 ? target.length : query;
    return replaceAll(compiled, target.slice(0, end), substitution) + target.slice(end);
  };
}

/** `substitution` alternates between text and group numbers. */
function replaceAll(pattern: RE2JS, text: string, substitution: readonly string[]): string {
  const matcher = pattern.matcher(text);
  let result = '';
  let copied = 0;
  while (matcher.find()) {
    result += text.slice(copied, matcher.start());
    for (const [i, part] of substitution.entries()) {
      result += i % 2 === 0 ? part : (matcher.group(Number(part)) ?? '');
    }
    copied = matcher.end();
  }
  return result + text.slice(copied);
}

/** A replaced path keeps the query unless it brings one. */
export function redirectPath(
  rewrite: RedirectAction['pathRewriteSpecifier'],
  match: RouteMatch | undefined,
): PathRewrite | null {
  if (rewrite.case === undefined || rewrite.value === '') return null;
  if (rewrite.case === 'prefixRewrite') return replaceMatched(match, rewrite.value);
  if (rewrite.case === 'regexRewrite') {
    return compileRegexRewrite(rewrite.value, 'redirect.regex_rewrite');
  }
  const replacement = targetText(rewrite.value);
  return (path) => {
    const query = path.indexOf('?');
    return query < 0 || replacement.includes('?') ? replacement : replacement + path.slice(query);
  };
}
