import { createHash, randomBytes } from 'node:crypto';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** What proves over HTTP/1.1 that a server has understood the upgrade (RFC 6455 section 4.2.2). HTTP/2 has no such thing. */
export function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}${GUID}`).digest('base64');
}

/** For a client that came over HTTP/2 and needs none itself. */
export function newKey(): string {
  return randomBytes(16).toString('base64');
}
