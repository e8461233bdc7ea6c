// hot path: every request with a body
import type { BodyFraming } from '@aquifer/http';

/** Beyond this a request cannot be sent again (spec l7 3.1). */
const MAX_REPLAY_BYTES = 1024 * 1024;

/** What of a request's body has arrived, as far as another attempt may need it. */
export class RequestBody {
  readonly chunks: Buffer[] = [];
  isComplete: boolean;
  #bytes = 0;
  #keeps: boolean;
  #hasDropped = false;

  constructor(framing: BodyFraming, mayRetry: boolean) {
    this.isComplete = framing.kind === 'none';
    this.#keeps = mayRetry;
  }

  /** False once more has passed through than is kept. */
  get canReplay(): boolean {
    return !this.#hasDropped;
  }

  /** Copies the bytes if they are to be kept. */
  keep(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#keeps && this.#bytes <= MAX_REPLAY_BYTES) {
      this.chunks.push(Buffer.from(chunk));
      return;
    }
    this.#keeps = false;
    this.#hasDropped = true;
    this.chunks.length = 0;
  }
}
