import type { Http2Session } from 'node:http2';

const MIB = 1024 * 1024;

/** Spec ztunnel 2.2. */
export const STREAM_WINDOW_BYTES: number = 4 * MIB;
export const CONNECTION_WINDOW_BYTES: number = 16 * MIB;
export const MAX_FRAME_BYTES: number = MIB;
export const MAX_STREAMS_AS_SERVER = 200;

const PING_INTERVAL_MS = 10_000;
const PING_TIMEOUT_MS = 20_000;

/** Pings every 10 s; a peer that does not answer within 20 s is gone. Stops by itself when the session closes. */
export function keepAlive(session: Http2Session, onDead: (error: Error) => void): void {
  const timer = setInterval(() => {
    const deadline = setTimeout(() => {
      onDead(new Error('HBONE ping timeout'));
    }, PING_TIMEOUT_MS).unref();
    const sent = session.ping((error) => {
      clearTimeout(deadline);
      if (error !== null) onDead(error);
    });
    if (!sent) clearTimeout(deadline);
  }, PING_INTERVAL_MS).unref();
  session.once('close', () => {
    clearInterval(timer);
  });
}
