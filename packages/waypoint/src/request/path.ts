// hot path: every request target
import type { PathRules } from '../compile/path-rules.ts';

const NEEDS_WORK = /[%\\"<>^`{|}]|\/[./]|#/;
const TO_ENCODE = /["<>^`{|}]/g;
const UNRESERVED = /[A-Za-z0-9\-._~]/;
const ESCAPED_SLASH = /%(?:2f|5c)/i;
/** Tomcat and others take parameters off a segment before they resolve it. To Envoy a backslash is a part of them. */
const PARAMETERS_OF_DOTS = /(?<=\/\.\.?);[^/]*/g;
/** Behind a backslash, or with dots in percent code, Envoy lets such a segment pass as this: a dot segment for some. */
const AMBIGUOUS_DOTS = /\/\.\.?;/;
const PERCENT_CODE = /%([0-9a-fA-F]{2})|%/g;
/** Stands for a percent sign that begins no code; no target holds it. */
const BARE_PERCENT = '\0';
const BARE_PERCENT_OF_CODE = /\0(?=[0-9a-fA-F]{2})/g;

/** A path that is not what the client must ask for (`UNESCAPE_AND_REDIRECT`). */
export interface OtherTarget {
  readonly redirectTo: string;
}

/**
 * The target as it is matched and forwarded: fragment dropped, unreserved characters decoded, others that no path holds
 * encoded, dot segments resolved, backslashes turned; slashes as the rules say (spec l7 3.9). A percent sign without
 * two digits stays. Null if it has no such form. Always: what comes out would come out of a second proxy unchanged.
 */
export function normalizeTarget(target: string, rules: PathRules): string | OtherTarget | null {
  if (!NEEDS_WORK.test(target)) return target;
  const whole = target.split('#', 1)[0]!;
  const queryAt = whole.indexOf('?');
  const query = queryAt < 0 ? '' : whole.slice(queryAt);
  const path = queryAt < 0 ? whole : whole.slice(0, queryAt);
  const hasEscapedSlash = rules.escapedSlashes !== 'keep' && ESCAPED_SLASH.test(path);
  if (hasEscapedSlash && rules.escapedSlashes === 'reject') return null;
  const normalized = normalizePath(hasEscapedSlash ? unescapeSlashes(path) : path, rules);
  if (normalized === null) return null;
  const isRedirected = hasEscapedSlash && rules.escapedSlashes === 'redirect';
  return isRedirected ? { redirectTo: normalized + query } : normalized + query;
}

function unescapeSlashes(path: string): string {
  return path.replace(/%2f/gi, '/').replace(/%5c/gi, '\\');
}

function normalizePath(path: string, { normalizes, mergesSlashes }: PathRules): string | null {
  const normalized = normalizes ? normalizeSegments(path) : path;
  return mergesSlashes ? (normalized?.replace(/\/{2,}/g, '/') ?? null) : normalized;
}

function normalizeSegments(path: string): string | null {
  const withoutParameters = path.replace(PARAMETERS_OF_DOTS, '');
  if (withoutParameters.includes('%00')) return null;
  const decoded = withoutParameters
    .replace(PERCENT_CODE, decodeUnreserved)
    // Together with what was decoded behind it, a bare percent sign must not become a code.
    .replace(BARE_PERCENT_OF_CODE, '%25')
    .replaceAll(BARE_PERCENT, '%')
    .replaceAll('\\', '/')
    .replace(TO_ENCODE, encodeURIComponent);
  const normalized = removeDotSegments(decoded);
  return AMBIGUOUS_DOTS.test(normalized) ? null : normalized;
}

function decodeUnreserved(code: string, digits: string | undefined): string {
  if (digits === undefined) return BARE_PERCENT;
  const character = String.fromCharCode(Number.parseInt(digits, 16));
  return UNRESERVED.test(character) ? character : code;
}

/** RFC 3986 5.2.4, but an empty segment stays one. */
function removeDotSegments(path: string): string {
  const output: string[] = [];
  const segments = path.split('/');
  for (const [i, segment] of segments.entries()) {
    const isLast = i === segments.length - 1;
    if (segment !== '.' && segment !== '..') output.push(segment);
    else {
      if (segment === '..' && output.length > 1) output.pop();
      if (isLast) output.push('');
    }
  }
  return output.length === 1 && output[0] === '' ? '/' : output.join('/');
}

/**
 * The first value of a query parameter as it was sent, which is how Envoy compares it: neither percent codes nor plus
 * signs are decoded. Null if it is absent; `queryAt` is where the path ends.
 */
export function queryValue(target: string, queryAt: number, name: string): string | null {
  for (let at = queryAt + 1; at <= target.length; ) {
    const next = target.indexOf('&', at);
    const end = next < 0 ? target.length : next;
    const equals = target.indexOf('=', at);
    const nameEnd = equals < 0 || equals > end ? end : equals;
    if (target.slice(at, nameEnd) === name) return target.slice(Math.min(nameEnd + 1, end), end);
    at = end + 1;
  }
  return null;
}

/** The part before the query. */
export function pathOnly(target: string): string {
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}
