import type { Http2Limits, ServerTimes } from '@aquifer/http';

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * A stream's window reaches the 4 MiB of spec ztunnel 2.2 while its reader keeps up; it begins with less, since what 200
 * streams hold that nobody reads is bounded by it.
 */
const WINDOWS = {
  streamWindowBytes: 256 * KIB,
  maxStreamWindowBytes: 4 * MIB,
  windowGrowthBytes: 16 * MIB,
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

/** What a tunnel carries may be silent for days, and so may a tunnel: pings tell whether its peer is there. */
export const SERVER_TIMES: ServerTimes = {
  headMs: 60_000,
  requestMs: 0,
  exchangeIdleMs: 0,
  connectionIdleMs: 0,
};

/** Pings every 10 s; a peer that does not answer within 20 s is gone. */
export const KEEP_ALIVE = { intervalMs: 10_000, timeoutMs: 20_000 } as const;
