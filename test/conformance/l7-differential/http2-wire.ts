import type { Socket } from 'node:net';
import { type Fields, HpackReader, writeFields } from './hpack.ts';

const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const WINDOW_UPDATE = 8;
const CONTINUATION = 9;

const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const PADDED = 8;
const PRIORITY = 0x20;

export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const MAX_FRAME_BYTES = 16_384;
const DEFAULT_WINDOW = 65_535;
const LARGEST_WINDOW = 2 ** 31 - 1;

/** What arrives, in order. */
export type Http2Event =
  | {
      readonly kind: 'headers';
      readonly stream: number;
      readonly fields: Fields;
      readonly isEnd: boolean;
    }
  | {
      readonly kind: 'data';
      readonly stream: number;
      readonly bytes: Buffer;
      readonly isEnd: boolean;
    }
  | { readonly kind: 'reset'; readonly stream: number; readonly code: number }
  | { readonly kind: 'goaway'; readonly lastStream: number; readonly code: number };

/**
 * A connection of HTTP/2 that says whatever it is told to and reads without limits: windows are as large as they can
 * be, and what it sends waits for the peer's windows.
 */
export class Http2Wire {
  readonly socket: Socket;
  readonly #onEvent: (event: Http2Event) => void;
  readonly #hpack = new HpackReader();
  #bytes: Buffer = Buffer.alloc(0);
  #block: { stream: number; parts: Buffer[]; isEnd: boolean } | null = null;
  #initialWindow = DEFAULT_WINDOW;
  #connectionWindow = DEFAULT_WINDOW;
  readonly #windows = new Map<number, number>();
  #waiting: (() => void)[] = [];

  /** `socket` has been connected or accepted; the preface has been read, or is written here. */
  constructor(socket: Socket, role: 'client' | 'server', onEvent: (event: Http2Event) => void) {
    this.socket = socket;
    this.#onEvent = onEvent;
    if (role === 'client') socket.write(PREFACE);
    const windows = Buffer.alloc(6);
    windows.writeUInt16BE(4);
    windows.writeUInt32BE(LARGEST_WINDOW, 2);
    const tunnels = Buffer.from([0, 8, 0, 0, 0, 1]);
    this.frame(SETTINGS, 0, 0, Buffer.concat(role === 'server' ? [windows, tunnels] : [windows]));
    this.frame(WINDOW_UPDATE, 0, 0, number32(LARGEST_WINDOW - DEFAULT_WINDOW));
    socket.once('close', () => this.#wake());
  }

  frame(type: number, flags: number, stream: number, payload: Buffer): void {
    if (this.socket.destroyed || this.socket.writableEnded) return;
    const header = Buffer.alloc(9);
    header.writeUIntBE(payload.length, 0, 3);
    header[3] = type;
    header[4] = flags;
    header.writeUInt32BE(stream, 5);
    this.socket.write(Buffer.concat([header, payload]));
  }

  headers(stream: number, fields: Fields, isEnd: boolean): void {
    const block = writeFields(fields);
    for (let at = 0; at === 0 || at < block.length; at += MAX_FRAME_BYTES) {
      const part = block.subarray(at, at + MAX_FRAME_BYTES);
      const isLast = at + MAX_FRAME_BYTES >= block.length;
      const flags = (isLast ? END_HEADERS : 0) | (at === 0 && isEnd ? END_STREAM : 0);
      this.frame(at === 0 ? HEADERS : CONTINUATION, flags, stream, part);
    }
  }

  /** Resolves when all of it is written, or never will be. */
  async data(stream: number, bytes: Buffer, isEnd: boolean): Promise<void> {
    let at = 0;
    do {
      const length = Math.min(bytes.length - at, MAX_FRAME_BYTES);
      if (!(await this.#room(stream, length))) return;
      const isLast = at + length === bytes.length;
      this.frame(DATA, isLast && isEnd ? END_STREAM : 0, stream, bytes.subarray(at, at + length));
      at += length;
    } while (at < bytes.length);
  }

  reset(stream: number, code: number): void {
    this.frame(RST_STREAM, 0, stream, number32(code));
  }

  goaway(lastStream: number, code: number): void {
    this.frame(GOAWAY, 0, 0, Buffer.concat([number32(lastStream), number32(code)]));
  }

  /** The stream is done with: nothing waits on its behalf. */
  forget(stream: number): void {
    this.#windows.set(stream, Number.NEGATIVE_INFINITY);
    this.#wake();
  }

  receive(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 9) {
      const length = this.#bytes.readUIntBE(0, 3);
      if (this.#bytes.length < 9 + length) return;
      const [type, flags] = [this.#bytes[3]!, this.#bytes[4]!];
      const stream = this.#bytes.readUInt32BE(5) & LARGEST_WINDOW;
      const payload = this.#bytes.subarray(9, 9 + length);
      this.#bytes = this.#bytes.subarray(9 + length);
      this.#take(type, flags, { stream, payload });
    }
  }

  #take(type: number, flags: number, frame: { stream: number; payload: Buffer }): void {
    const { stream, payload } = frame;
    const isEnd = (flags & END_STREAM) !== 0;
    switch (type) {
      case DATA:
        this.#onEvent({ kind: 'data', stream, bytes: unpadded(flags, payload), isEnd });
        break;
      case HEADERS: {
        const block = unpadded(flags, payload).subarray((flags & PRIORITY) === 0 ? 0 : 5);
        this.#block = { stream, parts: [block], isEnd };
        this.#endBlock(flags);
        break;
      }
      case CONTINUATION:
        this.#block?.parts.push(payload);
        this.#endBlock(flags);
        break;
      case RST_STREAM:
        this.#onEvent({ kind: 'reset', stream, code: payload.readUInt32BE(0) });
        break;
      case GOAWAY: {
        const [lastStream, code] = [payload.readUInt32BE(0), payload.readUInt32BE(4)];
        this.#onEvent({ kind: 'goaway', lastStream, code });
        break;
      }
      default:
        this.#takeControl(type, flags, frame);
    }
  }

  #takeControl(type: number, flags: number, frame: { stream: number; payload: Buffer }): void {
    const { stream, payload } = frame;
    if (type === PING && (flags & ACK) === 0) this.frame(PING, ACK, 0, payload);
    else if (type === SETTINGS && (flags & ACK) === 0) this.#applySettings(payload);
    else if (type === WINDOW_UPDATE) {
      const more = payload.readUInt32BE(0);
      if (stream === 0) this.#connectionWindow += more;
      else this.#windows.set(stream, this.#window(stream) + more);
      this.#wake();
    }
  }

  #applySettings(payload: Buffer): void {
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      if (payload.readUInt16BE(at) !== 4) continue;
      const window = payload.readUInt32BE(at + 2);
      for (const [stream, left] of this.#windows) {
        this.#windows.set(stream, left + window - this.#initialWindow);
      }
      this.#initialWindow = window;
    }
    this.frame(SETTINGS, ACK, 0, Buffer.alloc(0));
    this.#wake();
  }

  #endBlock(flags: number): void {
    const block = this.#block;
    if (block === null || (flags & END_HEADERS) === 0) return;
    this.#block = null;
    const fields = this.#hpack.read(Buffer.concat(block.parts));
    this.#onEvent({ kind: 'headers', stream: block.stream, fields, isEnd: block.isEnd });
  }

  #window(stream: number): number {
    return this.#windows.get(stream) ?? this.#initialWindow;
  }

  /** False once the stream or the connection is gone. */
  async #room(stream: number, bytes: number): Promise<boolean> {
    while (bytes > Math.min(this.#window(stream), this.#connectionWindow)) {
      if (this.socket.destroyed || this.#window(stream) === Number.NEGATIVE_INFINITY) return false;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.socket.destroyed) return false;
    this.#windows.set(stream, this.#window(stream) - bytes);
    this.#connectionWindow -= bytes;
    return true;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

function unpadded(flags: number, payload: Buffer): Buffer {
  return (flags & PADDED) === 0 ? payload : payload.subarray(1, payload.length - payload[0]!);
}

function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
