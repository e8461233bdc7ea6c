import type { HttpError, HttpProblem } from '@aquifer/http';
import type { AuthorizationFilter, AuthorizationInput } from '../compile/rbac.ts';
import type { AttemptFailure } from '../compile/retry-policy.ts';

/** A response made here instead of upstream (spec l7 3.5). */
export interface LocalReply {
  readonly status: number;
  readonly body: string | Buffer;
  /** Envoy's response flags, joined by commas; empty for none. */
  readonly flag: string;
  readonly details: string;
  /** What it means to a client of gRPC, unless that follows from the status. */
  readonly grpcStatus?: number;
  /** It is what the route itself says, so that the route changes it in any case. */
  readonly isOfRoute?: boolean;
  /** The connection ends after it. */
  readonly closes?: boolean;
}

export const NOT_FOUND: LocalReply = reply(404, '', 'NR', 'route_not_found');
export const NO_HEALTHY_UPSTREAM: LocalReply = reply(
  503,
  'no healthy upstream',
  'UH',
  'no_healthy_upstream',
);
export const MISSING_HOST: LocalReply = closing(400, 'missing_host_header');
export const PATH_NOT_NORMALISED: LocalReply = closing(400, 'path_normalization_failed');
/** To the path without escaped slashes. */
export const PATH_REDIRECTED: LocalReply = reply(307, '', '', 'path_normalization_failed');
export const UPGRADE_REFUSED: LocalReply = closing(403, 'upgrade_failed');
/** A target that names no path, such as `*`. */
export const NO_PATH: LocalReply = reply(404, '', '', 'absolute_path_rejected');
export const REQUEST_TIMEOUT: LocalReply = reply(
  504,
  'upstream request timeout',
  'UT',
  'response_timeout',
);
const PER_TRY_TIMEOUT: LocalReply = reply(
  504,
  'upstream request timeout',
  'UT',
  'upstream_per_try_timeout',
);

/** Of the first of the policies that refuses; null if none does. */
export function denialBy(
  policies: readonly AuthorizationFilter[],
  input: AuthorizationInput,
): LocalReply | null {
  for (const filter of policies) {
    const policy = filter(input);
    if (policy === null) continue;
    return reply(403, 'RBAC: access denied', '', `rbac_access_denied_matched_policy[${policy}]`);
  }
  return null;
}

/** Nobody has decided whether it may pass. */
export const UNDECIDED: LocalReply = reply(403, '', 'UAEX', 'ext_authz_error');
/** Of a body more was to be asked about than there may be. */
export const BODY_TOO_LONG: LocalReply = reply(
  413,
  'Payload Too Large',
  '',
  'request_payload_too_large',
);

export function externallyDenied(status: number, body: string | Buffer): LocalReply {
  return reply(status, body, 'UAEX', 'ext_authz_denied');
}

export const CORS_PREFLIGHT: LocalReply = reply(200, '', '', 'cors_response');

export function outcomeOfFault(status: number, grpcStatus: number | null): LocalReply {
  const made = reply(status, 'fault filter abort', 'FI', 'fault_filter_abort');
  return grpcStatus === null ? made : { ...made, grpcStatus };
}

export function rateLimited(status: number, grpcStatus: number | null): LocalReply {
  const made = reply(status, 'local_rate_limited', 'RL', 'local_rate_limited');
  return grpcStatus === null ? made : { ...made, grpcStatus };
}

export function clusterNotFound(status: number): LocalReply {
  return reply(status, '', 'NC', 'cluster_not_found');
}

/** What a failed attempt becomes when nothing is left to try. */
export function attemptFailed(
  failure: AttemptFailure,
  about: {
    readonly hasRetried: boolean;
    /** An interim answer had come. */
    readonly hasBegun: boolean;
    readonly transportFailure: string | null;
  },
): LocalReply {
  const { hasRetried, hasBegun, transportFailure } = about;
  if (failure === 'per-try-timeout') return PER_TRY_TIMEOUT;
  const { status, flag, words } = FAILURES[failure];
  const cause = transportFailure === null ? words : `${words}|${transportFailure}`;
  const prefix = 'upstream connect error or disconnect/reset before headers. ';
  const retried = hasRetried ? 'retried and the latest ' : '';
  return reply(
    status,
    `${prefix}${retried}reset reason: ${words}`,
    flag,
    `upstream_reset_${hasBegun ? 'after' : 'before'}_response_started{${cause.replaceAll(' ', '_')}}`,
  );
}

/** How an answer ended before its end, in Envoy's words. */
export type CutKind =
  | 'protocol error'
  | 'remote reset'
  | 'remote refused stream reset'
  | 'connection termination';

const CUT_FLAGS: Readonly<Record<CutKind, string>> = {
  'protocol error': 'UPE',
  'remote reset': 'UR',
  'remote refused stream reset': 'UR',
  'connection termination': 'UC',
};

export function cutShort(kind: CutKind): Pick<LocalReply, 'flag' | 'details'> {
  const cause = kind.replaceAll(' ', '_');
  return { flag: CUT_FLAGS[kind], details: `upstream_reset_after_response_started{${cause}}` };
}

/** Flags as they are told together. */
export function behind(first: string, flag: string): string {
  return first === '' ? flag : `${first},${flag}`;
}

/** The client gave up, in Envoy's words: this one request, or the connection. */
export function clientLeft({
  kind,
  scope,
  reason,
}: HttpError): Pick<LocalReply, 'flag' | 'details'> {
  if (kind !== 'reset' || scope !== 'exchange') {
    return { flag: 'DC', details: 'downstream_remote_disconnect' };
  }
  const isRefusal = reason === 'REFUSED_STREAM';
  return { flag: 'DR', details: isRefusal ? 'http2.remote_refuse' : 'http2.remote_reset' };
}

const TERMINATION = { status: 503, flag: 'UC', words: 'connection termination' } as const;

const FAILURES: Readonly<
  Record<
    Exclude<AttemptFailure, 'per-try-timeout'>,
    { readonly status: number; readonly flag: string; readonly words: string }
  >
> = {
  'connect-failure': { status: 503, flag: 'UF', words: 'remote connection failure' },
  'connect-timeout': { status: 503, flag: 'UF', words: 'connection timeout' },
  overflow: { status: 503, flag: 'UO', words: 'overflow' },
  'protocol-error': { status: 502, flag: 'UPE', words: 'protocol error' },
  reset: TERMINATION,
  'remote-reset': { status: 503, flag: 'UR', words: 'remote reset' },
  'refused-stream': { status: 503, flag: 'UR', words: 'remote refused stream reset' },
  'stale-connection': TERMINATION,
};

function closing(status: number, details: string): LocalReply {
  return { ...reply(status, '', '', details), closes: true };
}

function reply(status: number, body: string | Buffer, flag: string, details: string): LocalReply {
  return { status, body, flag, details };
}

/** Who was silent for too long has broken no rule. */
export function problemFlag({ details }: HttpProblem): string {
  return details === 'stream_idle_timeout' ? 'SI' : 'DPE';
}
