import { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** What of Node's own this package touches beside its interface. Each function says what is so when a version differs. */

type ReadCallback = (length: number, buffer: Buffer) => boolean;

/** Where Node keeps what `new net.Socket({ onread })` was given; null if this version keeps it elsewhere. */
const ONREAD = findSymbols();

function findSymbols(): { readonly buffer: symbol; readonly callback: symbol } | null {
  const symbols = Object.getOwnPropertySymbols(new Socket());
  const buffer = symbols.find(({ description }) => description === 'kBuffer');
  const callback = symbols.find(({ description }) => description === 'kBufferCb');
  return buffer === undefined || callback === undefined ? null : { buffer, callback };
}

interface SocketParts {
  readonly _handle: { readonly useUserBuffer?: (buffer: Buffer) => void } | null;
  [onread: symbol]: Buffer | ReadCallback;
}

/**
 * Lets a socket read into a buffer of ours, as its option `onread` would, which exists only for sockets that connect by
 * name and address. False, and nothing has changed, if this version of Node does not know how.
 */
export function readInto(socket: Socket, buffer: Buffer, onRead: ReadCallback): boolean {
  const { _handle: handle } = socket as unknown as SocketParts;
  if (ONREAD === null || typeof handle?.useUserBuffer !== 'function') return false;
  const parts = socket as unknown as SocketParts;
  parts[ONREAD.buffer] = buffer;
  parts[ONREAD.callback] = onRead;
  handle.useUserBuffer(buffer);
  return true;
}

/** The socket that a server accepted, of the TLS socket it became; null if this version does not tell. */
export function acceptedSocket(socket: TLSSocket): Socket | null {
  const { _parent: accepted } = socket as TLSSocket & { readonly _parent?: Socket };
  return accepted ?? null;
}
