/** A message as it goes over TCP: its length in two bytes before it (RFC 1035 section 4.2.2). */
export function frameMessage(message: Buffer): Buffer {
  const framed = Buffer.alloc(2 + message.length);
  framed.writeUInt16BE(message.length, 0);
  framed.set(message, 2);
  return framed;
}

/** Finds the messages in a byte stream. Holds at most one that is not complete, so 64 KiB. */
export class MessageSplitter {
  readonly #onMessage: (message: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);

  /** The message is the receiver's own. */
  constructor(onMessage: (message: Buffer) => void) {
    this.#onMessage = onMessage;
  }

  push(chunk: Buffer): void {
    let rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (rest.length >= 2) {
      const end = 2 + rest.readUInt16BE(0);
      if (rest.length < end) break;
      this.#onMessage(Buffer.from(rest.subarray(2, end)));
      rest = rest.subarray(end);
    }
    this.#rest = Buffer.from(rest);
  }
}
