import { REQUEST_TIMEOUT_MS } from './http1-requests.ts';
import type { EndLine, LongKind } from './load-lines.ts';
import type { Tally } from './tally.ts';

/** What happens to a long connection. */
export interface LinkEvents {
  onOpen(): void;
  onMessage(text: string): void;
  /** It will end, and still works. */
  onAnnounced(): void;
  /** Once, last. */
  onEnd(how: 'closed' | 'cut', reason: string): void;
}

/** A long connection to somebody who sends back what he gets. */
export interface Link {
  /** Only while it is open. */
  send(text: string): void;
  /** Nothing more will be sent; what was sent is still answered. */
  finish(): void;
}

const RECONNECT_MS = 50;

/**
 * Messages that are echoed, over one connection after the other: the next is opened when the end of one is announced, or
 * has come. What was not answered on one is sent again on the next; a message is lost if nothing answers it in time.
 */
export class Conversation implements Disposable {
  readonly #kind: LongKind;
  readonly #open: (events: LinkEvents) => Link;
  readonly #tally: Tally;
  /** When unanswered messages were to be sent, by their text. */
  readonly #unanswered = new Map<string, number>();
  readonly #givesUp: NodeJS.Timeout;
  #link: Link | null = null;
  #sent = 0;
  #isOver = false;

  constructor(kind: LongKind, tally: Tally, open: (events: LinkEvents) => Link) {
    this.#kind = kind;
    this.#tally = tally;
    this.#open = open;
    this.#givesUp = setInterval(() => this.#giveUpLost(), 500);
    this.#connect();
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearInterval(this.#givesUp);
    this.#link?.finish();
  }

  readonly start = (intendedAtMs: number): void => {
    const text = String(this.#sent);
    this.#sent += 1;
    this.#unanswered.set(text, intendedAtMs);
    this.#link?.send(text);
  };

  #connect(): void {
    const openedAtMs = Date.now();
    let phase: 'opening' | 'open' | 'left' = 'opening';
    let isLeaving = false;
    const leave = (): void => {
      phase = 'left';
      if (this.#link === link) this.#link = null;
    };
    const moveOn = (): void => {
      leave();
      link.finish();
      this.#connect();
    };
    const link = this.#open({
      onOpen: () => {
        phase = 'open';
        this.#link = link;
        for (const text of this.#unanswered.keys()) link.send(text);
        if (isLeaving) moveOn();
      },
      onMessage: (text) => {
        const intendedAtMs = this.#unanswered.get(text);
        if (intendedAtMs === undefined) return;
        this.#unanswered.delete(text);
        this.#tally.ok(this.#kind, intendedAtMs);
      },
      onAnnounced: () => {
        isLeaving = true;
        if (phase === 'open') moveOn();
      },
      onEnd: (how, reason) => {
        if (phase === 'opening') this.#tally.failed(this.#kind, openedAtMs, `refused: ${reason}`);
        else this.#ended(phase === 'left' && how === 'closed' ? 'moved' : how, reason, openedAtMs);
        if (phase === 'left' || this.#isOver) return;
        leave();
        setTimeout(() => this.#connect(), RECONNECT_MS);
      },
    });
  }

  #ended(how: EndLine['how'], reason: string, openedAtMs: number): void {
    const unanswered = how === 'moved' ? 0 : this.#unanswered.size;
    const lastedMs = Date.now() - openedAtMs;
    this.#tally.ended({ kind: this.#kind, how, reason, lastedMs, unanswered });
  }

  #giveUpLost(): void {
    const before = Date.now() - REQUEST_TIMEOUT_MS;
    for (const [text, intendedAtMs] of this.#unanswered) {
      if (intendedAtMs > before) return;
      this.#unanswered.delete(text);
      this.#tally.failed(this.#kind, intendedAtMs, 'the message was lost');
    }
  }
}
