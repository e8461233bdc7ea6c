import type { Http2Limits, ServerTimes } from '@aquifer/http';

const KIB = 1024;
const MIB = 1024 * KIB;

/** How much a peer may have under way, and in which pieces. */
export interface Http2Sizes {
  /** On one stream whose reader keeps up. */
  readonly streamWindowBytes: number;
  /** On all streams together. */
  readonly connectionWindowBytes: number;
  readonly maxFrameBytes: number;
}

/** Spec ztunnel 2.2. */
const DEFAULT_SIZES: Http2Sizes = {
  streamWindowBytes: 4 * MIB,
  connectionWindowBytes: 16 * MIB,
  maxFrameBytes: MIB,
};

/** With which a stream's window begins: what 200 streams hold that nobody reads is bounded by it. */
const FIRST_WINDOW_BYTES = 256 * KIB;

function windows(sizes: Http2Sizes) {
  const { streamWindowBytes, connectionWindowBytes, maxFrameBytes } = sizes;
  return {
    streamWindowBytes: Math.min(FIRST_WINDOW_BYTES, streamWindowBytes),
    maxStreamWindowBytes: streamWindowBytes,
    windowGrowthBytes: connectionWindowBytes,
    connectionWindowBytes,
    maxFrameBytes,
  };
}

/** Streams that a client may have open when nobody says otherwise. */
export const MAX_STREAMS_AS_SERVER = 200;

/** Of a tunnel that this side opened. */
export function clientLimits(sizes: Http2Sizes = DEFAULT_SIZES): Http2Limits {
  return { ...windows(sizes), maxHeaderListBytes: 16_384, maxConcurrentStreams: null };
}

/** Of a tunnel that a peer opened. */
export function serverLimits(
  maxConcurrentStreams: number,
  sizes: Http2Sizes = DEFAULT_SIZES,
): Http2Limits {
  return { ...windows(sizes), maxHeaderListBytes: 65_536, maxConcurrentStreams };
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
