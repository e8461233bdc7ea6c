// hot path: every byte of gRPC

const PREFIX_BYTES = 5;

/** Counts the messages of one direction of a call by their prefixes: a byte of flags, four of length. */
class MessageCount {
  count = 0;
  /** Bytes of a message that are still to come. */
  #left = 0;
  #prefixBytes = 0;
  #length = 0;

  passed(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, chunk.length - at);
        this.#left -= skipped;
        at += skipped;
        continue;
      }
      if (this.#prefixBytes > 0) this.#length = this.#length * 256 + chunk[at]!;
      this.#prefixBytes += 1;
      at += 1;
      if (this.#prefixBytes < PREFIX_BYTES) continue;
      this.count += 1;
      this.#left = this.#length;
      this.#length = 0;
      this.#prefixBytes = 0;
    }
  }
}

/** Messages of a call, as they pass. */
export class GrpcMessages {
  readonly #received = new MessageCount();
  readonly #sent = new MessageCount();

  get received(): number {
    return this.#received.count;
  }

  get sent(): number {
    return this.#sent.count;
  }

  /** From the client. */
  arrived(chunk: Buffer): void {
    this.#received.passed(chunk);
  }

  /** To the client. */
  left(chunk: Buffer): void {
    this.#sent.passed(chunk);
  }
}
