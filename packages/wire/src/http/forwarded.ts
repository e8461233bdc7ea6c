/** The client's `ip:port` and, for service-addressed calls, the service's hostname (RFC 7239; spec ztunnel 2.3). */
export function encodeForwarded(clientAddress: string, hostname: string | null): string {
  const client = `for="${clientAddress}"`;
  return hostname === null ? client : `${client};host=${hostname}`;
}

export interface Forwarded {
  /** `ip:port` as sent, `[ip]:port` for IPv6; null if absent. */
  readonly client: string | null;
  readonly hostname: string | null;
}

/** What a header may hold as text (RFC 9110 section 5.5). */
const TEXT = /^[\t -~]*$/;

/**
 * Reads the first `for` and `host` elements; surrounding quotes are dropped, empty counts as absent, and of a header with
 * other bytes than ASCII everything.
 */
export function decodeForwarded(header: string): Forwarded {
  if (!TEXT.test(header)) return { client: null, hostname: null };
  let client: string | null = null;
  let hostname: string | null = null;
  for (const part of header.split(';')) {
    const element = part.trim();
    if (element.startsWith('for=')) client ??= unquote(element.slice(4));
    else if (element.startsWith('host=')) hostname ??= unquote(element.slice(5));
  }
  return { client, hostname };
}

function unquote(text: string): string | null {
  const inner = text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
  return inner === '' ? null : inner;
}
