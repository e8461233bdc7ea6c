import { violation } from '../http-error.ts';
import { FLAG } from './frames.ts';

/** A block of many small frames costs more to collect than to decode. */
const MAX_CONTINUATIONS = 100;

/** What HEADERS said besides its fields. */
export interface HeaderBlock {
  readonly streamId: number;
  readonly isStreamEnd: boolean;
  readonly dependsOnItself: boolean;
  readonly bytes: Buffer;
}

/** Joins HEADERS and its CONTINUATIONs. Always: nothing else arrives in between, and the size is bounded. */
export class HeaderBlockAssembler {
  readonly #maxBytes: number;
  #open: Omit<HeaderBlock, 'bytes'> | null = null;
  #parts: Buffer[] = [];
  #bytes = 0;

  /** `maxBytes` limits the block as it was sent, compressed. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A block has begun and not ended: only its CONTINUATION may follow. */
  get openStreamId(): number | null {
    return this.#open?.streamId ?? null;
  }

  /** The block if this frame completes it. Throws an `HttpError` that ends the connection. */
  headers(flags: number, streamId: number, payload: Buffer): HeaderBlock | null {
    let start = 0;
    let end = payload.length;
    let dependsOnItself = false;
    if ((flags & FLAG.PADDED) !== 0) {
      start = 1;
      end -= payload[0] ?? 1;
    }
    if ((flags & FLAG.PRIORITY) !== 0) {
      dependsOnItself =
        payload.length >= start + 4 && (payload.readUInt32BE(start) & 0x7fff_ffff) === streamId;
      start += 5;
    }
    if (start > payload.length) {
      throw violation('FRAME_SIZE_ERROR', 'HEADERS is too short for what its flags say');
    }
    if (end < start) throw violation('PROTOCOL_ERROR', 'more padding than payload');
    const isStreamEnd = (flags & FLAG.END_STREAM) !== 0;
    const open = { streamId, isStreamEnd, dependsOnItself };
    const part = payload.subarray(start, end);
    if ((flags & FLAG.END_HEADERS) !== 0) return { ...open, bytes: part };
    this.#open = open;
    this.#parts = [];
    this.#bytes = 0;
    this.#add(part);
    return null;
  }

  continuation(flags: number, payload: Buffer): HeaderBlock | null {
    this.#add(payload);
    const open = this.#open;
    if ((flags & FLAG.END_HEADERS) === 0 || open === null) return null;
    const bytes = Buffer.concat(this.#parts);
    this.#open = null;
    this.#parts = [];
    return { ...open, bytes };
  }

  /** The part is copied: it may be a piece of a much larger buffer, and the rest may take its time. */
  #add(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#maxBytes || this.#parts.length > MAX_CONTINUATIONS) {
      throw violation('ENHANCE_YOUR_CALM', 'a header block is too large');
    }
    this.#parts.push(Buffer.from(part));
  }
}
