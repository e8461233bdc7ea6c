import { constants } from 'node:os';
import type { HboneErrorCode } from '@aquifer/hbone';
import { type ErrorFacts, MeshError } from '@aquifer/model';
import type { ResponseFlag } from './telemetry/labels.ts';

/** What can fail here; `HB_` codes are those of tunnels. Each has a heading in docs/errors.md. */
type ZtunnelErrorCode =
  | 'ZT_NO_CERTIFICATE'
  | 'ZT_DIAL_TIMEOUT'
  | 'ZT_UNREACHABLE'
  | 'ZT_REFUSED'
  | 'ZT_RESET'
  | 'ZT_SYSTEM_CALL'
  | 'ZT_IO';
type ErrorCode = ZtunnelErrorCode | HboneErrorCode;

interface ErrorRow {
  /** What metrics and access lines show (spec ztunnel 9.1). */
  readonly flag: ResponseFlag;
  /** Whether the same next hop may be tried again. Not if nobody answers for it, or somebody else does. */
  readonly sameHop: boolean;
  /** Whether the message stands alone; else it follows `io error: ` or `connection failed: ` (spec ztunnel 9.2). */
  readonly isWhole: boolean;
  /** Whether a copy may end so in normal life: somebody gave up (spec ztunnel 9.2). */
  readonly isNormalEnd: boolean;
}

const ofTunnel = { flag: 'CONNECT', isWhole: true, isNormalEnd: false } as const;
const ofSocket = { flag: 'CONNECT', isWhole: false, isNormalEnd: false } as const;
const AGAIN = { sameHop: true } as const;
const ELSEWHERE = { sameHop: false } as const;

/** What this package does about each code, whoever it is from. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorRow>> = {
  ZT_NO_CERTIFICATE: { ...ofTunnel, ...ELSEWHERE, flag: 'IDENTITY_ERROR' },
  ZT_DIAL_TIMEOUT: { ...ofSocket, ...ELSEWHERE },
  ZT_UNREACHABLE: { ...ofSocket, ...ELSEWHERE },
  ZT_REFUSED: { ...ofSocket, ...AGAIN },
  ZT_RESET: { ...ofSocket, ...AGAIN, isNormalEnd: true },
  ZT_SYSTEM_CALL: { ...ofSocket, ...AGAIN },
  ZT_IO: { ...ofSocket, ...AGAIN },
  HB_DIAL_FAILED: { ...ofTunnel, ...AGAIN },
  HB_CONNECT_TIMEOUT: { ...ofTunnel, ...ELSEWHERE, flag: 'NETWORK_POLICY' },
  HB_TLS_FAILED: { ...ofTunnel, ...AGAIN },
  HB_IDENTITY_MISMATCH: { ...ofTunnel, ...ELSEWHERE },
  HB_HTTP2_FAILED: { ...ofTunnel, ...AGAIN, flag: 'H2_HANDSHAKE_FAILURE' },
  HB_NO_ANSWER: { ...ofTunnel, ...ELSEWHERE },
  HB_GIVEN_UP: { ...ofTunnel, ...ELSEWHERE },
  HB_REFUSED_STATUS: { ...ofTunnel, ...AGAIN },
  HB_STREAM_CANCELLED: { ...ofTunnel, ...AGAIN, isNormalEnd: true },
  HB_STREAM_RESET: { ...ofTunnel, ...AGAIN },
  HB_TUNNEL_LOST: { ...ofTunnel, ...AGAIN },
  HB_PEER_SILENT: { ...ofTunnel, ...ELSEWHERE },
  HB_TUNNEL_ABORTED: { ...ofTunnel, ...ELSEWHERE },
};

/** An error of this package. */
export function ztunnelError(
  code: ZtunnelErrorCode,
  message: string,
  cause?: unknown,
): MeshError<ErrorCode> {
  return meshError(code, message, cause);
}

/** No code has `retry: 'safe'` once a byte was passed on: these are failures to connect. */
const FACTS: Readonly<Record<ZtunnelErrorCode, ErrorFacts>> = {
  ZT_NO_CERTIFICATE: { origin: 'control-plane', retry: 'never' },
  ZT_DIAL_TIMEOUT: { origin: 'upstream', retry: 'safe' },
  ZT_UNREACHABLE: { origin: 'upstream', retry: 'safe' },
  ZT_REFUSED: { origin: 'upstream', retry: 'safe' },
  ZT_RESET: { origin: 'upstream', retry: 'safe' },
  ZT_SYSTEM_CALL: { origin: 'internal', retry: 'safe' },
  ZT_IO: { origin: 'upstream', retry: 'safe' },
};

function meshError(code: ZtunnelErrorCode, message: string, cause: unknown): MeshError<ErrorCode> {
  return new MeshError(code, message, { ...FACTS[code], cause });
}

/** The C library's words for what can happen to a connection; Node has its own, which operators do not search for. */
const SYSTEM_ERRORS: Readonly<Record<string, readonly [ZtunnelErrorCode, string]>> = {
  EACCES: ['ZT_IO', 'Permission denied'],
  EADDRINUSE: ['ZT_IO', 'Address already in use'],
  EADDRNOTAVAIL: ['ZT_IO', 'Cannot assign requested address'],
  ECONNABORTED: ['ZT_IO', 'Software caused connection abort'],
  ECONNREFUSED: ['ZT_REFUSED', 'Connection refused'],
  ECONNRESET: ['ZT_RESET', 'Connection reset by peer'],
  EHOSTUNREACH: ['ZT_UNREACHABLE', 'No route to host'],
  EINVAL: ['ZT_IO', 'Invalid argument'],
  EMFILE: ['ZT_IO', 'Too many open files'],
  ENETDOWN: ['ZT_IO', 'Network is down'],
  ENETUNREACH: ['ZT_IO', 'Network is unreachable'],
  ENOTCONN: ['ZT_RESET', 'Transport endpoint is not connected'],
  EPERM: ['ZT_IO', 'Operation not permitted'],
  EPIPE: ['ZT_RESET', 'Broken pipe'],
  ETIMEDOUT: ['ZT_UNREACHABLE', 'Connection timed out'],
};
/** Node's own code for a stream that ended before its time. */
const PREMATURE_CLOSE = 'ERR_STREAM_PREMATURE_CLOSE';

/** Whatever was caught, with a code of the table. The only place that looks into it. */
export function toMeshError(caught: unknown): MeshError<ErrorCode> {
  if (caught instanceof MeshError && Object.hasOwn(ERRORS, caught.code)) {
    return caught as MeshError<ErrorCode>;
  }
  if (!(caught instanceof Error)) return meshError('ZT_IO', String(caught), caught);
  const nodeCode = (caught as NodeJS.ErrnoException).code ?? '';
  if (nodeCode === PREMATURE_CLOSE) return meshError('ZT_RESET', caught.message, caught);
  const known = Object.hasOwn(SYSTEM_ERRORS, nodeCode) ? SYSTEM_ERRORS[nodeCode] : undefined;
  if (known === undefined) return meshError('ZT_IO', caught.message, caught);
  const [code, text] = known;
  const number = constants.errno[nodeCode as keyof typeof constants.errno];
  return meshError(code, `${text} (os error ${number})`, caught);
}
