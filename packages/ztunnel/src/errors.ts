import { constants } from 'node:os';
import { type HboneErrorCode, isHboneError } from '@aquifer/hbone';
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

/** How a failure is shown, and what follows from it. */
interface ErrorRow {
  /** What metrics and access lines show (spec ztunnel 9.1). */
  readonly flag: ResponseFlag;
  /** Whether the same next hop may be tried again. Not if nobody answers for it, or somebody else does. */
  readonly sameHop: boolean;
  /** Whether the message stands alone; else it follows `io error: ` or `connection failed: ` (spec ztunnel 9.2). */
  readonly isWhole: boolean;
}

const socket = { flag: 'CONNECT', sameHop: true, isWhole: false } as const;
const tunnel = { flag: 'CONNECT', sameHop: true, isWhole: true } as const;

/** `safe`: failures to connect, before a byte was passed on. */
const OWN: Readonly<Record<ZtunnelErrorCode, ErrorFacts & ErrorRow>> = {
  ZT_NO_CERTIFICATE: {
    ...{ origin: 'control-plane', retry: 'never' },
    ...{ flag: 'IDENTITY_ERROR', sameHop: false, isWhole: true },
  },
  ZT_DIAL_TIMEOUT: { origin: 'upstream', retry: 'safe', ...socket, sameHop: false },
  ZT_UNREACHABLE: { origin: 'upstream', retry: 'safe', ...socket, sameHop: false },
  ZT_REFUSED: { origin: 'upstream', retry: 'safe', ...socket },
  ZT_RESET: { origin: 'upstream', retry: 'safe', ...socket },
  ZT_SYSTEM_CALL: { origin: 'internal', retry: 'safe', ...socket },
  ZT_IO: { origin: 'upstream', retry: 'safe', ...socket },
};

/** Origin and retry of these are the tunnel's to say. */
const OF_TUNNELS: Readonly<Record<HboneErrorCode, ErrorRow>> = {
  HB_CONNECT_TIMEOUT: { ...tunnel, flag: 'NETWORK_POLICY', sameHop: false },
  HB_TLS_FAILED: tunnel,
  HB_IDENTITY_MISMATCH: { ...tunnel, sameHop: false },
  HB_CERT_REVOKED: { ...tunnel, flag: 'CERT_REVOKED', sameHop: false },
  HB_HTTP2_FAILED: { ...tunnel, flag: 'H2_HANDSHAKE_FAILURE' },
  HB_NO_ANSWER: { ...tunnel, sameHop: false },
  HB_GIVEN_UP: tunnel,
  HB_REFUSED_STATUS: tunnel,
  HB_STREAM_CANCELLED: tunnel,
  HB_STREAM_RESET: tunnel,
  HB_TUNNEL_LOST: tunnel,
  HB_PEER_SILENT: tunnel,
  HB_TUNNEL_ABORTED: tunnel,
};

export const ERRORS: Readonly<Record<ErrorCode, ErrorRow>> = { ...OWN, ...OF_TUNNELS };

/** An error of this package. */
export function ztunnelError(
  code: ZtunnelErrorCode,
  message: string,
  cause?: unknown,
): MeshError<ErrorCode> {
  const { origin, retry } = OWN[code];
  return new MeshError(code, message, { origin, retry, cause });
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
  if (isHboneError(caught) || isOwnError(caught)) return caught;
  if (!(caught instanceof Error)) return ztunnelError('ZT_IO', String(caught), caught);
  const nodeCode = (caught as NodeJS.ErrnoException).code ?? '';
  if (nodeCode === PREMATURE_CLOSE) return ztunnelError('ZT_RESET', caught.message, caught);
  const known = Object.hasOwn(SYSTEM_ERRORS, nodeCode) ? SYSTEM_ERRORS[nodeCode] : undefined;
  if (known === undefined) return ztunnelError('ZT_IO', caught.message, caught);
  const [code, text] = known;
  const number = constants.errno[nodeCode as keyof typeof constants.errno];
  return ztunnelError(code, `${text} (os error ${number})`, caught);
}

function isOwnError(caught: unknown): caught is MeshError<ZtunnelErrorCode> {
  return caught instanceof MeshError && Object.hasOwn(OWN, caught.code);
}
