import { type HttpError, violation } from '../http-error.ts';
import {
  DEFAULT_WINDOW_BYTES,
  FLAG,
  FRAME,
  FRAME_HEADER_BYTES,
  MAX_WINDOW_BYTES,
  writeFrameHeader,
} from './frames.ts';

const ID = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
  ENABLE_CONNECT_PROTOCOL: 8,
} as const;

const MIN_FRAME_BYTES = 16_384;
const MAX_FRAME_BYTES = 0xff_ffff;

/** What this side allows its peer. */
export interface Http2Limits {
  /** Of a new stream; what is announced. */
  readonly streamWindowBytes: number;
  /** To which the window of a stream grows whose reader keeps up. */
  readonly maxStreamWindowBytes: number;
  /** By which the windows of all streams may have grown together. */
  readonly windowGrowthBytes: number;
  /** Under way on all streams together; it does not limit what they hold, see `flow-control.ts`. */
  readonly connectionWindowBytes: number;
  readonly maxFrameBytes: number;
  /** As SETTINGS_MAX_HEADER_LIST_SIZE counts: names, values and 32 bytes a field. */
  readonly maxHeaderListBytes: number;
  /** Streams that the peer may have open; null for a client, whose peer opens none. */
  readonly maxConcurrentStreams: number | null;
}

/** What the peer allows this side: the defaults of RFC 9113 section 6.5.2 until it has spoken. */
export interface PeerSettings {
  headerTableBytes: number;
  maxConcurrentStreams: number;
  streamWindowBytes: number;
  maxFrameBytes: number;
  /** A server that has said so says so for ever (RFC 8441 section 3). */
  takesExtendedConnect: boolean;
}

export function defaultPeerSettings(): PeerSettings {
  return {
    headerTableBytes: 4096,
    maxConcurrentStreams: Number.POSITIVE_INFINITY,
    streamWindowBytes: DEFAULT_WINDOW_BYTES,
    maxFrameBytes: MIN_FRAME_BYTES,
    takesExtendedConnect: false,
  };
}

/** The SETTINGS frame that announces our limits; push is switched off by a client. */
export function settingsFrame(
  limits: Http2Limits,
  role: 'client' | 'server',
  takesExtendedConnect: boolean,
): Buffer {
  const settings: [number, number][] = [
    [ID.INITIAL_WINDOW_SIZE, limits.streamWindowBytes],
    [ID.MAX_FRAME_SIZE, limits.maxFrameBytes],
    [ID.MAX_HEADER_LIST_SIZE, limits.maxHeaderListBytes],
  ];
  if (role === 'client') settings.unshift([ID.ENABLE_PUSH, 0]);
  if (limits.maxConcurrentStreams !== null) {
    settings.push([ID.MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams]);
  }
  if (takesExtendedConnect) settings.push([ID.ENABLE_CONNECT_PROTOCOL, 1]);
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + 6 * settings.length);
  const length = 6 * settings.length;
  writeFrameHeader(frame, 0, { length, type: FRAME.SETTINGS, flags: 0, streamId: 0 });
  for (const [index, [id, value]] of settings.entries()) {
    frame.writeUInt16BE(id, FRAME_HEADER_BYTES + 6 * index);
    frame.writeUInt32BE(value, FRAME_HEADER_BYTES + 6 * index + 2);
  }
  return frame;
}

/** The answer to the peer's SETTINGS. */
export function settingsAckFrame(): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES);
  writeFrameHeader(frame, 0, { length: 0, type: FRAME.SETTINGS, flags: FLAG.ACK, streamId: 0 });
  return frame;
}

/** Takes over what the peer said. Throws an `HttpError` for values that RFC 9113 section 6.5.2 forbids. */
export function readSettings(
  payload: Buffer,
  peer: PeerSettings,
  peerRole: 'client' | 'server',
): void {
  if (payload.length % 6 !== 0) {
    throw violation('FRAME_SIZE_ERROR', 'SETTINGS is not a multiple of 6 bytes');
  }
  for (let at = 0; at < payload.length; at += 6) {
    const value = payload.readUInt32BE(at + 2);
    readSetting(payload.readUInt16BE(at), value, peer, peerRole);
  }
}

function readSetting(
  id: number,
  value: number,
  peer: PeerSettings,
  peerRole: 'client' | 'server',
): void {
  if (id === ID.HEADER_TABLE_SIZE) peer.headerTableBytes = value;
  else if (id === ID.MAX_CONCURRENT_STREAMS) peer.maxConcurrentStreams = value;
  else if (id === ID.ENABLE_PUSH) {
    if (value > (peerRole === 'client' ? 1 : 0)) throw badValue('ENABLE_PUSH', value);
  } else if (id === ID.INITIAL_WINDOW_SIZE) readWindow(value, peer);
  else if (id === ID.MAX_FRAME_SIZE) {
    if (value < MIN_FRAME_BYTES || value > MAX_FRAME_BYTES) {
      throw badValue('MAX_FRAME_SIZE', value);
    }
    peer.maxFrameBytes = value;
  } else if (id === ID.ENABLE_CONNECT_PROTOCOL) readConnectProtocol(value, peer);
}

function readWindow(value: number, peer: PeerSettings): void {
  if (value > MAX_WINDOW_BYTES) {
    throw violation('FLOW_CONTROL_ERROR', `SETTINGS_INITIAL_WINDOW_SIZE is ${value}`);
  }
  peer.streamWindowBytes = value;
}

function readConnectProtocol(value: number, peer: PeerSettings): void {
  const isTakenBack = value === 0 && peer.takesExtendedConnect;
  if (value > 1 || isTakenBack) throw badValue('ENABLE_CONNECT_PROTOCOL', value);
  peer.takesExtendedConnect = value === 1;
}

function badValue(name: string, value: number): HttpError {
  return violation('PROTOCOL_ERROR', `SETTINGS_${name} is ${value}`);
}
