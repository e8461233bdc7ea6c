// hot path: bytes of every tunnelled connection that is not spliced
import { Duplex } from 'node:stream';
import type { BodyListener, Exchange, HttpError } from '@aquifer/http';
import { streamError } from './errors.ts';

/**
 * The stream of a tunnel for whoever reads and writes what it carries. A Node stream holds 1 KiB and costs a third more
 * per chunk than what `splice` does without.
 */
export function exchangeDuplex(exchange: Exchange): Duplex {
  return new ExchangeDuplex(exchange);
}

/**
 * Calls back when the other end of the stream's tunnel has said that it goes away, at once if it has already: what uses the
 * stream may go on for a while, and should go on elsewhere. Never of a stream without a tunnel.
 */
export function whenTunnelEnds(stream: Duplex, then: () => void): void {
  if (!(stream instanceof ExchangeDuplex)) return;
  if (stream.isTunnelEnding) then();
  else stream.once('tunnel-ending', then);
}

class ExchangeDuplex extends Duplex implements BodyListener {
  readonly #exchange: Exchange;
  #onRoom: (() => void) | null = null;
  isTunnelEnding = false;

  constructor(exchange: Exchange) {
    super({ allowHalfOpen: true });
    this.#exchange = exchange;
    // Until someone reads it, a cut stream must not crash the process.
    this.on('error', () => undefined);
    exchange.receive(this);
  }

  onData(chunk: Buffer): void {
    this.push(Buffer.from(chunk));
    // What waits to be read waits there, where it costs no buffer a piece.
    if (this.readableLength > 0) this.#exchange.pause();
  }

  onEnd(): void {
    this.push(null);
  }

  onDrain(): void {
    const onRoom = this.#onRoom;
    this.#onRoom = null;
    onRoom?.();
  }

  onConnectionEnding(): void {
    this.isTunnelEnding = true;
    this.emit('tunnel-ending');
  }

  onClose(error: HttpError | null): void {
    if (error !== null) this.destroy(streamError(error));
  }

  override _read(): void {
    this.#exchange.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#exchange.write(chunk)) done();
    else this.#onRoom = done;
  }

  override _final(done: () => void): void {
    this.#exchange.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // Does nothing to a stream that has ended on both sides.
    this.#exchange.reset('CANCEL');
    done(error);
  }
}
