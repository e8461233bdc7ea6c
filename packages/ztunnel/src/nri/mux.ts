import type { Duplex } from 'node:stream';

/** The two conversations on a connection between runtime and plugin. */
export const CHANNEL = {
  /** The runtime calls the plugin. */
  plugin: 1,
  /** The plugin calls the runtime. */
  runtime: 2,
} as const;

export type ChannelId = (typeof CHANNEL)[keyof typeof CHANNEL];

const HEADER_BYTES = 8;
/** A frame carries one message at most, which is no larger than this. */
const MAX_FRAME_BYTES = (4 << 20) + 10;

/**
 * Several byte streams on one (NRI's multiplexer): each frame is the stream's number and its length, 32 bits each, big
 * endian, and then bytes of that stream. Frames of streams that nobody reads are skipped.
 */
export class Mux {
  readonly #trunk: Duplex;
  readonly #readers = new Map<number, (bytes: Buffer) => void>();
  #pending: Buffer = Buffer.alloc(0);

  /** `onFailed` is told what was wrong with the peer's frames; the connection is of no use then. */
  constructor(trunk: Duplex, onFailed: (error: Error) => void) {
    this.#trunk = trunk;
    trunk.on('data', (chunk: Buffer) => {
      try {
        this.#receive(chunk);
      } catch (error) {
        onFailed(error as Error);
      }
    });
  }

  read(channel: ChannelId, onBytes: (bytes: Buffer) => void): void {
    this.#readers.set(channel, onBytes);
  }

  write(channel: ChannelId, bytes: Buffer): void {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32BE(channel, 0);
    header.writeUInt32BE(bytes.length, 4);
    this.#trunk.write(Buffer.concat([header, bytes]));
  }

  #receive(chunk: Buffer): void {
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (rest.length >= HEADER_BYTES) {
      const length = rest.readUInt32BE(4);
      if (length > MAX_FRAME_BYTES) throw new Error(`a frame of ${length} bytes`);
      if (rest.length < HEADER_BYTES + length) break;
      this.#readers.get(rest.readUInt32BE(0))?.(rest.subarray(HEADER_BYTES, HEADER_BYTES + length));
      rest = rest.subarray(HEADER_BYTES + length);
    }
    this.#pending = Buffer.from(rest);
  }
}
