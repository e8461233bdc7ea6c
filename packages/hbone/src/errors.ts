/**
 * What can go wrong on a tunnel. `HB_CONNECT_TIMEOUT` is kept apart from `HB_DIAL_FAILED` because a silent drop on
 * port 15008 usually means a NetworkPolicy.
 */
export type HboneErrorCode =
  | 'HB_DIAL_FAILED'
  | 'HB_CONNECT_TIMEOUT'
  | 'HB_TLS_FAILED'
  | 'HB_IDENTITY_MISMATCH'
  | 'HB_HTTP2_FAILED'
  | 'HB_NO_ANSWER'
  | 'HB_REFUSED_STATUS';

/** A failed tunnel or CONNECT, with the text that access logs show. */
export class HboneError extends Error {
  readonly code: HboneErrorCode;
  /** HTTP status of the answer, for `HB_REFUSED_STATUS` only. */
  readonly status: number | null;

  constructor(code: HboneErrorCode, message: string, options?: ErrorOptions & { status?: number }) {
    super(message, options);
    this.name = 'HboneError';
    this.code = code;
    this.status = options?.status ?? null;
  }
}
