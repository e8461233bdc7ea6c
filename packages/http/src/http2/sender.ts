// hot path: every frame that is sent
import type { Duplex } from 'node:stream';
import { ERROR_CODES, type ErrorReason } from '../http-error.ts';
import type { FloodGuard } from './flood-guard.ts';
import { DEFAULT_WINDOW_BYTES, FLAG, FRAME, MAX_WINDOW_BYTES, numbersFrame } from './frames.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { Outbox } from './outbox.ts';
import {
  type Http2Limits,
  type PeerSettings,
  settingsAckFrame,
  settingsFrame,
} from './settings.ts';
import type { Http2Stream, StreamHost } from './stream.ts';

const PING_BYTES = 8;

/** The sending half of a connection, with the window that the peer gave it. */
export class FrameSender implements StreamHost {
  sendWindow: number = DEFAULT_WINDOW_BYTES;
  maxSendFrameBytes = 16_384;
  readonly #outbox: Outbox;
  readonly #guard: FloodGuard;
  readonly #encoder = new HpackEncoder();
  readonly #onForget: (stream: Http2Stream) => void;
  /** What had been queued in all when the guard last heard that the queue moves. */
  #queueMark = 0;
  #waiting = new Set<Http2Stream>();

  constructor(
    transport: Duplex,
    options: {
      readonly guard: FloodGuard;
      readonly onForget: (stream: Http2Stream) => void;
    },
  ) {
    this.#outbox = new Outbox(transport);
    this.#guard = options.guard;
    this.#onForget = options.onForget;
  }

  get isCongested(): boolean {
    return this.#outbox.isCongested;
  }

  /** Our SETTINGS, and credit up to our connection window. */
  sendSettings(
    limits: Http2Limits,
    role: 'client' | 'server',
    takesExtendedConnect: boolean,
  ): void {
    this.#outbox.whole(settingsFrame(limits, role, takesExtendedConnect));
    const extra = limits.connectionWindowBytes - DEFAULT_WINDOW_BYTES;
    if (extra > 0) this.#outbox.whole(numbersFrame(FRAME.WINDOW_UPDATE, 0, [extra]));
  }

  /** Bytes outside any frame: the client's preface. */
  sendRaw(bytes: Buffer): void {
    this.#outbox.whole(bytes);
  }

  sendSettingsAck(): void {
    this.#control(settingsAckFrame());
  }

  sendPing(payload: Buffer, isAnswer: boolean): void {
    this.#countControl();
    if (isAnswer) this.#guard.assertControlLeaves();
    const flags = isAnswer ? FLAG.ACK : 0;
    this.#outbox.frame(FRAME.PING, flags, 0, payload.subarray(0, PING_BYTES));
  }

  sendGoAway(lastStreamId: number, reason: ErrorReason): void {
    const numbers = [lastStreamId, ERROR_CODES[reason]];
    this.#outbox.whole(numbersFrame(FRAME.GOAWAY, 0, numbers));
  }

  /** Resets a stream because of what the peer sent. */
  refuse(streamId: number, reason: ErrorReason): void {
    this.#control(numbersFrame(FRAME.RST_STREAM, streamId, [ERROR_CODES[reason]]));
  }

  sendReset(streamId: number, reason: ErrorReason): void {
    this.#countControl();
    this.#outbox.whole(numbersFrame(FRAME.RST_STREAM, streamId, [ERROR_CODES[reason]]));
  }

  sendHeaders(streamId: number, headers: readonly string[], isEnd: boolean): void {
    this.#countControl();
    const block = this.#encoder.encode(headers);
    const most = this.maxSendFrameBytes;
    let type: number = FRAME.HEADERS;
    let at = 0;
    do {
      const end = Math.min(block.length, at + most);
      let flags = end === block.length ? FLAG.END_HEADERS : 0;
      if (isEnd && type === FRAME.HEADERS) flags |= FLAG.END_STREAM;
      this.#outbox.frame(type, flags, streamId, block.subarray(at, end));
      type = FRAME.CONTINUATION;
      at = end;
    } while (at < block.length);
  }

  sendData(streamId: number, payload: Buffer, isEnd: boolean): void {
    this.#guard.dataSent(payload.length);
    this.#outbox.data(streamId, payload, isEnd ? FLAG.END_STREAM : 0);
  }

  sendStreamCredit(streamId: number, bytes: number): void {
    this.#outbox.whole(numbersFrame(FRAME.WINDOW_UPDATE, streamId, [bytes]));
  }

  /** Bytes have arrived: the peer may send as many more on all streams together. */
  sendConnectionCredit(bytes: number): void {
    this.#outbox.whole(numbersFrame(FRAME.WINDOW_UPDATE, 0, [bytes]));
  }

  waitForRoom(stream: Http2Stream): void {
    this.#waiting.add(stream);
  }

  forget(stream: Http2Stream): void {
    this.#waiting.delete(stream);
    this.#onForget(stream);
  }

  /** The peer's WINDOW_UPDATE for the connection. False if the window grew too large. */
  widen(bytes: number): boolean {
    this.sendWindow += bytes;
    if (this.sendWindow > MAX_WINDOW_BYTES) return false;
    this.wake();
    return true;
  }

  applyPeerSettings(peer: PeerSettings): void {
    this.maxSendFrameBytes = peer.maxFrameBytes;
    this.#encoder.setMaxTableSize(peer.headerTableBytes);
  }

  /** The transport has drained, or a window opened: streams that wait go on, in the order in which they came. */
  wake(): void {
    if (this.#waiting.size === 0) return;
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const stream of waiting) stream.onRoom();
  }

  flush(): void {
    this.#outbox.flush();
  }

  #control(frame: Buffer): void {
    this.#countControl();
    this.#guard.assertControlLeaves();
    this.#outbox.whole(frame);
  }

  #countControl(): void {
    const { queuedInAll, waiting } = this.#outbox;
    // A busy queue may never be empty, though everything in it leaves soon.
    if (queuedInAll - waiting >= this.#queueMark) {
      this.#queueMark = queuedInAll;
      this.#guard.queueAdvanced();
    }
    this.#guard.controlQueued();
  }
}
