/** Error codes of RST_STREAM and GOAWAY (RFC 9113 section 7). */
export const ERROR_CODES = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;

/** Name of an error code that this side may send. */
export type ErrorCodeName = keyof typeof ERROR_CODES;

/** The name of a code that arrived; codes that nobody defined read as INTERNAL_ERROR (RFC 9113 section 7). */
export function errorCodeName(code: number): ErrorCodeName {
  for (const name of Object.keys(ERROR_CODES) as ErrorCodeName[]) {
    if (ERROR_CODES[name] === code) return name;
  }
  return 'INTERNAL_ERROR';
}

/** Why a connection or a stream ended before its time. */
export class Http2Error extends Error {
  readonly reason: ErrorCodeName;
  /** `ECONNRESET` where the peer merely gave up, as a socket would say it; else `ERR_HTTP2`. */
  readonly code: 'ECONNRESET' | 'ERR_HTTP2';
  /** The peer did not look at the request: sending it again is safe (RFC 9113 section 8.7). */
  readonly isUnprocessed: boolean;

  constructor(reason: ErrorCodeName, message: string, isUnprocessed = false) {
    super(message);
    this.name = 'Http2Error';
    this.reason = reason;
    this.code = reason === 'CANCEL' || reason === 'NO_ERROR' ? 'ECONNRESET' : 'ERR_HTTP2';
    this.isUnprocessed = isUnprocessed;
  }
}
