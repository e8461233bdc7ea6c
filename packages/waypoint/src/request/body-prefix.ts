import type { BodySink } from './request-body.ts';

/** What a body begins with, or all of it. */
export interface FoundPrefix {
  readonly bytes: Buffer;
  readonly isPartial: boolean;
}

/** Takes a body until it has ended or has more than so many bytes, and tells once, later than it was given the last one. */
export class BodyPrefix implements BodySink {
  readonly #maxBytes: number;
  readonly #chunks: Buffer[] = [];
  #then: ((found: FoundPrefix) => void) | null;
  #bytes = 0;

  constructor(maxBytes: number, then: (found: FoundPrefix) => void) {
    this.#maxBytes = maxBytes;
    this.#then = then;
  }

  write(chunk: Buffer): boolean {
    this.#chunks.push(Buffer.from(chunk));
    this.#bytes += chunk.length;
    if (this.#bytes <= this.#maxBytes) return true;
    this.#tell();
    return false;
  }

  flush(): void {
    // Nothing is passed on before it is decided.
  }

  end(): void {
    this.#tell();
  }

  /** Nobody wants to know any more. */
  cancel(): void {
    this.#then = null;
  }

  #tell(): void {
    const isPartial = this.#bytes > this.#maxBytes;
    const bytes = Buffer.concat(this.#chunks).subarray(0, this.#maxBytes);
    queueMicrotask(() => {
      const then = this.#then;
      this.#then = null;
      then?.({ bytes, isPartial });
    });
  }
}
