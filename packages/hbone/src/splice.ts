// hot path: bytes of every connection
import type { Duplex } from 'node:stream';

/** Receives byte counts while they flow. */
export interface SpliceCounters {
  /** Bytes passed from downstream to upstream. */
  received(bytes: number): void;
  /** Bytes passed from upstream to downstream. */
  sent(bytes: number): void;
}

/**
 * Copies both directions until each has ended; the end of one is passed on and leaves the other open (half-close).
 * Resolves with null, or with the error that ended a side first. Both sides are closed when it resolves.
 */
export function splice(
  downstream: Duplex,
  upstream: Duplex,
  counters: SpliceCounters,
): Promise<Error | null> {
  return new Promise((resolve) => {
    let open = 2;
    let failure: Error | null = null;
    const onClose = (): void => {
      open -= 1;
      if (open === 0) resolve(failure);
    };
    const fail = (error: Error | null): void => {
      failure ??= error;
      destroy(downstream, failure);
      destroy(upstream, failure);
    };
    pump(downstream, upstream, (bytes) => counters.received(bytes));
    pump(upstream, downstream, (bytes) => counters.sent(bytes));
    for (const side of [downstream, upstream]) {
      side.on('error', fail);
      side.once('close', () => {
        // A side that closes without its end having been read was cut: the other must not wait for more.
        if (!side.readableEnded || !side.writableFinished) fail(failure);
        onClose();
      });
    }
    if (downstream.destroyed || upstream.destroyed) fail(null);
  });
}

function pump(from: Duplex, to: Duplex, count: (bytes: number) => void): void {
  from.on('data', (chunk: Buffer) => {
    count(chunk.length);
    if (!to.write(chunk)) from.pause();
  });
  to.on('drain', () => {
    from.resume();
  });
  from.on('end', () => {
    to.end();
  });
  from.resume();
}

/** An abrupt end reaches the peer as a reset, so that an application cannot mistake a cut for a clean end. */
function destroy(side: Duplex, failure: Error | null): void {
  if (side.destroyed) return;
  if ('resetAndDestroy' in side && typeof side.resetAndDestroy === 'function') {
    (side.resetAndDestroy as () => void).call(side);
  } else {
    side.destroy(failure ?? undefined);
  }
}
