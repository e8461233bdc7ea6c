// hot path: read and rewritten for every request

/** Header fields as they travel: name, value, name, value, …; names in lower case, order and repetition kept. */
export type HeaderList = string[];

/** The first value of a field; null if it is absent. `name` in lower case. */
export function getHeader(headers: readonly string[], name: string): string | null {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1]!;
  return null;
}

/** All values of a field, joined by a comma; null if it is absent (spec l7 0.7). */
export function joinHeader(headers: readonly string[], name: string): string | null {
  let joined: string | null = null;
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== name) continue;
    joined = joined === null ? headers[i + 1]! : `${joined},${headers[i + 1]!}`;
  }
  return joined;
}

/** Replaces every occurrence by one field at the place of the first, or appends it. */
export function setHeader(headers: HeaderList, name: string, value: string): void {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== name) continue;
    headers[i + 1] = value;
    for (let j = headers.length - 2; j > i; j -= 2) if (headers[j] === name) headers.splice(j, 2);
    return;
  }
  headers.push(name, value);
}

export function removeHeader(headers: HeaderList, name: string): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) if (headers[i] === name) headers.splice(i, 2);
}
