import { STATUS_CODES } from 'node:http';

/** Where Envoy's words differ from Node's. */
const OTHER_WORDS: Readonly<Record<number, string>> = {
  102: 'Unknown',
  103: 'Unknown',
  418: 'Unknown',
};

/** The reason of a status line, which is our own: HTTP/2 has none that could be passed on. */
export function reasonOf(status: number): string {
  return OTHER_WORDS[status] ?? STATUS_CODES[status] ?? 'Unknown';
}
