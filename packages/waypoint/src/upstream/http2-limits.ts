import type { Http2Limits } from '@aquifer/http';

const KIB = 1024;
const MIB = 1024 * KIB;

/** What one connection may have under way, on either side of this proxy. Heads are bounded as over HTTP/1.1. */
const WINDOWS = {
  streamWindowBytes: 64 * KIB,
  maxStreamWindowBytes: MIB,
  windowGrowthBytes: 16 * MIB,
  connectionWindowBytes: 16 * MIB,
  maxFrameBytes: 64 * KIB,
  maxHeaderListBytes: 64 * KIB,
} as const;

/** Streams that a client may have open unless its listener says otherwise (Envoy 1.40: 1024). */
export const DEFAULT_MAX_STREAMS = 1024;

export function serverLimits(maxConcurrentStreams: number): Http2Limits {
  return { ...WINDOWS, maxConcurrentStreams };
}

export const CLIENT_LIMITS: Http2Limits = { ...WINDOWS, maxConcurrentStreams: null };
