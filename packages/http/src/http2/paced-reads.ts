// hot path: every read of a connection
import type { Duplex } from 'node:stream';
import { Pace } from '../sockets/pace.ts';
import { readShared } from '../sockets/shared-reads.ts';

/** A peer may send so many frames before others come first. */
const FRAMES_AT_ONCE = 5_000;
/** What a request costs, with its answer, which may be over at once. */
const FRAMES_FOR_REQUEST = 100;

/** What a peer has given us to do since the connection began, in frames. Its streams have every other number. */
export function workFor(lastStreamId: number, frames: number): number {
  return frames + (lastStreamId / 2) * FRAMES_FOR_REQUEST;
}

/** Takes what arrives, and returns the work that has come so far. */
type FramesListener = (bytes: Buffer) => number;

/**
 * As `readShared`, but a peer that gives much to do at once is not read on before the other connections of the thread have
 * been: the limit of streams does not bound those that are over as soon as they are begun, nor do windows bound how small
 * the frames are.
 */
export function readPaced(transport: Duplex, onBytes: FramesListener): void {
  const pace = new Pace(FRAMES_AT_ONCE, () => void transport.resume());
  readShared(transport, (bytes) => !pace.isOver(onBytes(bytes)));
}
