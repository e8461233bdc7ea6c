// hot path: asked of every request
import { getHeader } from '@aquifer/http';

/** The status for which there is no better one (gRPC over HTTP/2, "Status codes"). */
const UNKNOWN = 2;
/** What an answer that was made here means to a client of gRPC (spec l7 3.6). */
const OF_HTTP: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
};

/** `application/grpc`, with or without a subtype; gRPC-Web is another protocol. */
export function isGrpcContent(headers: readonly string[]): boolean {
  const type = getHeader(headers, 'content-type');
  if (type === null || !type.startsWith('application/grpc')) return false;
  const next = type[16];
  return next === undefined || next === '+' || next === ';';
}

export function grpcStatusOf(httpStatus: number): number {
  return OF_HTTP[httpStatus] ?? UNKNOWN;
}

/** For `grpc-message`: percent-encoded but for what is printable in ASCII. */
export function grpcMessage(text: string): string {
  let encoded = '';
  for (const byte of Buffer.from(text)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** Milliseconds, at least one, of a `grpc-timeout` header; null if there is none that makes sense. */
export function grpcTimeoutMs(headers: readonly string[]): number | null {
  const [, digits, unit] =
    /^(\d{1,8})([HMSmun])$/.exec(getHeader(headers, 'grpc-timeout') ?? '') ?? [];
  if (digits === undefined) return null;
  return Math.max(1, Math.ceil(Number(digits) * MS_PER_UNIT[unit!]!));
}

/** As a `grpc-timeout`: eight digits at most. */
export function grpcTimeoutText(ms: number): string {
  if (ms < 100_000_000) return `${Math.ceil(ms)}m`;
  const seconds = Math.ceil(ms / 1000);
  return seconds < 100_000_000 ? `${seconds}S` : `${Math.ceil(seconds / 3600)}H`;
}
