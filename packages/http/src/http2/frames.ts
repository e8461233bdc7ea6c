/** Frame types (RFC 9113 section 6). */
export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** Frame flags; ACK and END_STREAM share a bit on different frames. */
export const FLAG = {
  END_STREAM: 0x1,
  ACK: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const;

/** Length of a frame header, in bytes. */
export const FRAME_HEADER_BYTES = 9;

/** Largest flow-control window, in bytes (RFC 9113 section 6.9.1). */
export const MAX_WINDOW_BYTES = 0x7fff_ffff;

/** Windows of both kinds before anyone has spoken, in bytes. */
export const DEFAULT_WINDOW_BYTES = 65_535;

/** What a client sends first (RFC 9113 section 3.4). */
export const CLIENT_PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Header and numbers of a frame whose payload is 32-bit numbers. */
export function numbersFrame(
  type: number,
  streamId: number,
  numbers: readonly number[],
  flags = 0,
): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + 4 * numbers.length);
  writeFrameHeader(frame, 0, { length: 4 * numbers.length, type, flags, streamId });
  for (const [index, number] of numbers.entries()) {
    frame.writeUInt32BE(number, FRAME_HEADER_BYTES + 4 * index);
  }
  return frame;
}

/** Writes a frame header at an offset. */
export function writeFrameHeader(
  target: Buffer,
  at: number,
  frame: {
    readonly length: number;
    readonly type: number;
    readonly flags: number;
    readonly streamId: number;
  },
): void {
  target.writeUIntBE(frame.length, at, 3);
  target[at + 3] = frame.type;
  target[at + 4] = frame.flags;
  target.writeUInt32BE(frame.streamId, at + 5);
}
