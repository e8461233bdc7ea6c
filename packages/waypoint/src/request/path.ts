// hot path: every request target

const NEEDS_WORK = /[%\\"<>^`{|}]|\/\.|#/;
const TO_ENCODE = /["<>^`{|}]/g;
const UNRESERVED = /[A-Za-z0-9\-._~]/;

/**
 * The target as it is matched and forwarded: unreserved characters decoded, others that no path holds encoded, dot
 * segments resolved, backslashes turned, fragment dropped; slashes are not merged (mode BASE, spec l7 3.9). A percent
 * sign without two digits stays. Null if it cannot be normalised.
 */
export function normalizePath(target: string): string | null {
  if (!NEEDS_WORK.test(target)) return target;
  const withoutFragment = target.split('#', 1)[0]!;
  const queryAt = withoutFragment.indexOf('?');
  const rawPath = queryAt < 0 ? withoutFragment : withoutFragment.slice(0, queryAt);
  const query = queryAt < 0 ? '' : withoutFragment.slice(queryAt);
  if (rawPath.includes('%00')) return null;
  const decoded = rawPath
    .replace(/%([0-9a-fA-F]{2})/g, (encoded, hex: string) => {
      const character = String.fromCharCode(Number.parseInt(hex, 16));
      return UNRESERVED.test(character) ? character : encoded;
    })
    .replaceAll('\\', '/')
    .replace(TO_ENCODE, encodeURIComponent);
  return removeDotSegments(decoded) + query;
}

/** RFC 3986 5.2.4, but an empty segment stays one. */
function removeDotSegments(path: string): string {
  const output: string[] = [];
  const segments = path.split('/');
  for (const [i, segment] of segments.entries()) {
    const isLast = i === segments.length - 1;
    if (segment === '..') {
      if (output.length > 1) output.pop();
      if (isLast) output.push('');
    } else if (segment === '.') {
      if (isLast) output.push('');
    } else output.push(segment);
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
