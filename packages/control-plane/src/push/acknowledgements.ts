/** What a proxy says of the responses of one type: taken, rejected, or nothing yet (spec control-plane 3.8). */

/** The parts of a request that are about the response before it. */
export interface Acknowledgement {
  readonly responseNonce: string;
  readonly errorDetail?: { readonly message: string } | undefined;
}

/** Why a proxy did not take a response. */
export interface Rejection {
  readonly error: string;
  /** Names of what the response was about. */
  readonly resources: readonly string[];
}

/** As istioctl's proxy-status shows it. */
export interface SubscriptionStatus {
  readonly status: 'NOT_SENT' | 'SYNCED' | 'STALE' | 'ERROR';
  readonly nonceSent: string;
  readonly nonceAcked: string;
  readonly lastError: string | null;
  readonly lastSentAt: Date | null;
}

/** Names kept of the last response, to say in the log what a NACK is about. */
const REMEMBERED_NAMES = 20;

export class Acknowledgements {
  #nonceSent = '';
  #nonceAcked = '';
  #lastError: string | null = null;
  #lastSent: readonly string[] = [];
  #lastSentAt: Date | null = null;

  get status(): SubscriptionStatus {
    const nonceSent = this.#nonceSent;
    const nonceAcked = this.#nonceAcked;
    const lastError = this.#lastError;
    const pending = nonceSent === '' ? 'NOT_SENT' : nonceSent === nonceAcked ? 'SYNCED' : 'STALE';
    const status = lastError === null ? pending : 'ERROR';
    return { status, nonceSent, nonceAcked, lastError, lastSentAt: this.#lastSentAt };
  }

  /** Whether the request is about a response that another one has followed. */
  isOvertaken({ responseNonce }: Acknowledgement): boolean {
    return responseNonce !== '' && responseNonce !== this.#nonceSent;
  }

  sent(nonce: string, resources: readonly { readonly name: string }[]): void {
    this.#nonceSent = nonce;
    this.#lastSentAt = new Date();
    this.#lastSent = resources.slice(0, REMEMBERED_NAMES).map(({ name }) => name);
  }

  /** A nonce that was overtaken says nothing. */
  receive({ responseNonce, errorDetail }: Acknowledgement): Rejection | null {
    if (errorDetail !== undefined) {
      this.#lastError = errorDetail.message;
      return { error: errorDetail.message, resources: this.#lastSent };
    }
    if (responseNonce !== '' && responseNonce === this.#nonceSent) {
      this.#nonceAcked = responseNonce;
      this.#lastError = null;
    }
    return null;
  }
}
