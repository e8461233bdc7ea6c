/**
 * SPDY/3.1 as Kubernetes clients use it for exec and port-forward (moby/spdystream): streams opened by the client, no
 * flow control, no push.
 *
 *   control frame  | 1 | version 3 | type 16 | flags 8 | length 24 | payload
 *   data frame     | 0 | stream 31           | flags 8 | length 24 | bytes
 */
import { Duplex } from 'node:stream';
import { HeaderCodec, type SpdyHeaders } from './header-codec.ts';

const SYN_STREAM = 1;
const SYN_REPLY = 2;
const RST_STREAM = 3;
const PING = 6;
const FIN = 1;
const HEADER_BYTES = 8;
const MAX_CONTROL_BYTES = 16 * 1024;
const MAX_DATA_BYTES = 1024 * 1024;

/** One stream of a connection; ending it sends FIN, the peer's FIN ends its readable side. */
export class SpdyStream extends Duplex {
  readonly headers: SpdyHeaders;
  readonly #send: (flags: number, bytes: Buffer, done: () => void) => void;

  constructor(
    headers: SpdyHeaders,
    send: (flags: number, bytes: Buffer, done: () => void) => void,
  ) {
    super({ allowHalfOpen: true });
    this.headers = headers;
    this.#send = send;
  }

  override _read(): void {
    // The connection pushes what arrives; SPDY as used here has no flow control.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#send(0, chunk, done);
  }

  override _final(done: () => void): void {
    this.#send(FIN, Buffer.of(), done);
  }
}

interface Frame {
  readonly isControl: boolean;
  /** Frame type, or stream. */
  readonly id: number;
  readonly flags: number;
  readonly payload: Buffer;
}

async function* readFrames(socket: Duplex): AsyncGenerator<Frame> {
  let pending: Buffer = Buffer.of();
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (pending.length >= HEADER_BYTES) {
      const first = pending.readUInt32BE(0);
      const length = pending.readUIntBE(5, 3);
      const isControl = first >>> 31 === 1;
      if (length > (isControl ? MAX_CONTROL_BYTES : MAX_DATA_BYTES)) {
        throw new Error(`SPDY frame of ${length} bytes is too large`);
      }
      if (pending.length < HEADER_BYTES + length) break;
      yield {
        isControl,
        id: isControl ? first & 0xffff : first & 0x7fffffff,
        flags: pending[4] ?? 0,
        payload: pending.subarray(HEADER_BYTES, HEADER_BYTES + length),
      };
      pending = pending.subarray(HEADER_BYTES + length);
    }
  }
}

function head(first: number, flags: number, length: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(first >>> 0);
  header[4] = flags;
  header.writeUIntBE(length, 5, 3);
  return header;
}

const CONTROL = 0x80030000;

/** The server side of one connection. */
export class SpdyConnection {
  readonly #socket: Duplex;
  readonly #codec = new HeaderCodec();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #onStream: (stream: SpdyStream) => void;

  /** @param onStream called for every stream that the client opens, which is accepted. */
  constructor(socket: Duplex, onStream: (stream: SpdyStream) => void) {
    this.#socket = socket;
    this.#onStream = onStream;
  }

  /** Resolves when the connection ends; every stream is destroyed then. Rejects on a malformed frame. */
  async run(): Promise<void> {
    try {
      for await (const frame of readFrames(this.#socket)) {
        if (frame.isControl) await this.#control(frame);
        else this.#data(frame);
      }
    } finally {
      for (const stream of this.#streams.values()) stream.destroy();
      this.#codec.close();
      this.#socket.destroy();
    }
  }

  /** Ends the connection after what was written. */
  end(): void {
    this.#socket.end();
  }

  #write(parts: readonly Buffer[], done: () => void = () => undefined): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) done();
    else this.#socket.write(Buffer.concat(parts), () => done());
  }

  async #control({ id: type, flags, payload }: Frame): Promise<void> {
    if (type === PING) this.#write([head(CONTROL | PING, 0, payload.length), payload]);
    if (payload.length < 4) return;
    const id = payload.readUInt32BE(0) & 0x7fffffff;
    if (type === RST_STREAM) this.#streams.get(id)?.destroy();
    if (type === SYN_STREAM) await this.#open(id, flags, payload.subarray(10));
  }

  async #open(id: number, flags: number, block: Buffer): Promise<void> {
    const headers = await this.#codec.decode(block);
    const reply = await this.#codec.encodeEmpty();
    const streamId = Buffer.alloc(4);
    streamId.writeUInt32BE(id);
    this.#write([head(CONTROL | SYN_REPLY, 0, 4 + reply.length), streamId, reply]);
    const stream = new SpdyStream(headers, (fin, bytes, done) =>
      this.#write([head(id, fin, bytes.length), bytes], done),
    );
    stream.on('error', () => stream.destroy());
    stream.on('close', () => this.#streams.delete(id));
    this.#streams.set(id, stream);
    if ((flags & FIN) !== 0) stream.push(null);
    this.#onStream(stream);
  }

  #data({ id, flags, payload }: Frame): void {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.readableEnded) return;
    if (payload.length > 0) stream.push(payload);
    if ((flags & FIN) !== 0) stream.push(null);
  }
}
