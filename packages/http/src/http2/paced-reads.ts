// hot path: every read of a connection
import type { Duplex } from 'node:stream';
import { readShared } from '../sockets/shared-reads.ts';
import { atTurnEnd, type TurnListener } from '../sockets/turn.ts';

/** A peer may have begun so many before others come first. Each costs what its answer does, and may be over at once. */
const REQUESTS_AT_ONCE = 50;

/** Takes what arrives, and returns the number of the peer's last stream. */
type FramesListener = (bytes: Buffer) => number;

/**
 * As `readShared`, but a peer that begins many requests at once is not read on before the other connections of the thread have
 * been. What is under way at a time is limited by the number of streams, which does not bound those that are over as soon as
 * they are begun: without a pause libuv reads up to 2 MiB from one socket in a turn, which is seconds of work.
 */
export function readPaced(transport: Duplex, onBytes: FramesListener): void {
  const pause: TurnListener = { onTurnEnd: () => void transport.resume() };
  let pausedAfterId = 0;
  readShared(transport, (bytes) => {
    const lastId = onBytes(bytes);
    // Requests have every other number.
    if (lastId - pausedAfterId < 2 * REQUESTS_AT_ONCE) return true;
    pausedAfterId = lastId;
    atTurnEnd(pause);
    return false;
  });
}
