import type { Http2Limits } from '@aquifer/http';

const MIB = 1024 * 1024;

/** Spec ztunnel 2.2. */
const WINDOWS = {
  streamWindowBytes: 4 * MIB,
  connectionWindowBytes: 16 * MIB,
  maxFrameBytes: MIB,
} as const;

/** Streams that a client may have open when nobody says otherwise. */
export const MAX_STREAMS_AS_SERVER = 200;

/** Of a tunnel that this side opened. */
export const CLIENT_LIMITS: Http2Limits = {
  ...WINDOWS,
  maxHeaderListBytes: 16_384,
  maxConcurrentStreams: null,
};

/** Of a tunnel that a peer opened. */
export function serverLimits(maxConcurrentStreams: number): Http2Limits {
  return { ...WINDOWS, maxHeaderListBytes: 65_536, maxConcurrentStreams };
}

/** Pings every 10 s; a peer that does not answer within 20 s is gone. */
export const KEEP_ALIVE = { intervalMs: 10_000, timeoutMs: 20_000 } as const;
