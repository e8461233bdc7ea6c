import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

/**
 * Ends a plain socket with a reset, so that its peer does not take what it got for all there was; any other stream is
 * destroyed. Where everything has been handed to the kernel and only the end is still under way, the socket is just
 * closed: libuv resets none in that state, and Node would forget the handle without closing it.
 */
export function resetSocket(stream: Duplex, error: Error | null = null): void {
  const isEnding = stream.writableEnded && stream.writableLength === 0 && !stream.writableFinished;
  if (stream instanceof Socket && !(stream instanceof TLSSocket) && !isEnding) {
    stream.resetAndDestroy();
  } else stream.destroy(error ?? undefined);
}
