import {
  booleanKey,
  type ConfigKey,
  type ConfigKeys,
  durationKey,
  integerKey,
  parsedKey,
} from '@aquifer/runtime';

/** What the proxy's sockets, and the HTTP/2 of its tunnels, are like. */
export interface SocketConfig {
  /** Null: the mode's own. */
  readonly packetMark: number | null;
  readonly keepsAlive: boolean;
  readonly keepAliveTimeMs: number;
  readonly keepAliveIntervalMs: number;
  readonly keepAliveRetries: number;
  readonly hasUserTimeout: boolean;
  readonly reusesPorts: boolean;
  readonly usesIpv6: boolean;
  readonly servesSocks: boolean;
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  readonly maxFrameBytes: number;
}

/** RFC 9113 sections 6.9.1 and 6.5.2. A connection's window begins with so much, and cannot shrink. */
const MAX_WINDOW_BYTES = 0x7fff_ffff;
const MIN_CONNECTION_WINDOW_BYTES = 65_535;
const MIN_FRAME_BYTES = 16_384;
const MAX_FRAME_BYTES = 0xff_ffff;
const MAX_U32 = 0xffff_ffff;
/** The kernel's limit (MAX_TCP_KEEPIDLE), in seconds. */
const MAX_KEEP_ALIVE_SECONDS = 32_767;

/** A duration that the kernel takes, in whole seconds. */
function secondsKey(key: string, doc: string, fallbackMs: number): ConfigKey<number> {
  const { parse } = durationKey('', '', {});
  return parsedKey<number>(key, doc, {
    type: 'duration',
    default: fallbackMs,
    show: (ms) => `${ms / 1000}s`,
    parse: (text) => {
      const seconds = Math.round(parse(text) / 1000);
      if (seconds >= 1 && seconds <= MAX_KEEP_ALIVE_SECONDS) return seconds * 1000;
      throw new Error(`expected 1s to ${MAX_KEEP_ALIVE_SECONDS}s, not ${JSON.stringify(text)}`);
    },
  });
}

export const SOCKET_KEYS: ConfigKeys<SocketConfig> = {
  packetMark: parsedKey<number | null>(
    'PACKET_MARK',
    'Mark of the proxy’s sockets. Default: 1337 in shared mode, none in dedicated mode.',
    {
      type: 'integer',
      default: null,
      parse: integerKey('', '', { min: 1, max: MAX_U32 }).parse,
    },
  ),
  keepsAlive: booleanKey('KEEPALIVE_ENABLED', 'Whether connections have TCP keep-alive.', {
    default: true,
  }),
  keepAliveTimeMs: secondsKey(
    'KEEPALIVE_TIME',
    'Silence after which a connection’s peer is asked whether it is there.',
    180_000,
  ),
  keepAliveIntervalMs: secondsKey('KEEPALIVE_INTERVAL', 'Time between further questions.', 180_000),
  keepAliveRetries: integerKey(
    'KEEPALIVE_RETRIES',
    'Questions without an answer that end a connection.',
    { default: 9, min: 1, max: 127 },
  ),
  hasUserTimeout: booleanKey(
    'USER_TIMEOUT_ENABLED',
    'Whether bytes that are not acknowledged end a connection as soon as keep-alive would.',
    { default: false },
  ),
  reusesPorts: booleanKey(
    'INPOD_PORT_REUSE',
    'Whether listeners share their ports, with other threads and other versions of the proxy.',
    { default: true },
  ),
  usesIpv6: booleanKey('IPV6_ENABLED', 'Whether listeners and names use IPv6.', { default: true }),
  servesSocks: booleanKey(
    'UNSTABLE_ENABLE_SOCKS5',
    'Whether programs of a pod may say by SOCKS5, on 127.0.0.1:15080, where they want to go.',
    { default: false },
  ),
  streamWindowBytes: integerKey(
    'HTTP2_STREAM_WINDOW_SIZE',
    'Bytes under way on one connection in a tunnel whose reader keeps up.',
    { default: 4_194_304, min: 1, max: MAX_WINDOW_BYTES },
  ),
  connectionWindowBytes: integerKey(
    'HTTP2_CONNECTION_WINDOW_SIZE',
    'Bytes under way on all connections in a tunnel together.',
    { default: 16_777_216, min: MIN_CONNECTION_WINDOW_BYTES, max: MAX_WINDOW_BYTES },
  ),
  maxFrameBytes: integerKey('HTTP2_FRAME_SIZE', 'Bytes of the largest frame that is accepted.', {
    default: 1_048_576,
    min: MIN_FRAME_BYTES,
    max: MAX_FRAME_BYTES,
  }),
};
