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
  cut(): void;
}

const RECONNECT_MS = 50;

/**
 * Messages that are echoed, over one connection after the other: the next is opened when the end of one is announced, or
 * has come. What was not answered on one is sent again on the next; a message is lost if nothing answers it in time.
 */
export class Conversation {
  readonly #kind: LongKind;
  readonly #open: (events: LinkEvents) => Link;
  readonly #tally: Tally;
  /** When unanswered messages were to be sent, by their text. */
  readonly #unanswered = new Map<string, number>();
  #link: Link | null = null;
  #sent = 0;

  constructor(kind: LongKind, tally: Tally, open: (events: LinkEvents) => Link) {
    this.#kind = kind;
    this.#tally = tally;
    this.#open = open;
    this.#connect();
    setInterval(() => this.#giveUpLost(), 500).unref();
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
    const leave = (): void => {
      phase = 'left';
      if (this.#link === link) this.#link = null;
    };
    const link = this.#open({
      onOpen: () => {
        phase = 'open';
        this.#link = link;
        for (const text of this.#unanswered.keys()) link.send(text);
      },
      onMessage: (text) => {
        const intendedAtMs = this.#unanswered.get(text);
        if (intendedAtMs === undefined) return;
        this.#unanswered.delete(text);
        this.#tally.ok(this.#kind, intendedAtMs);
      },
      onAnnounced: () => {
        if (phase !== 'open') return;
        leave();
        link.finish();
        this.#connect();
      },
      onEnd: (how, reason) => {
        this.#ended(phase === 'left' && how === 'closed' ? 'moved' : how, reason, openedAtMs);
        if (phase === 'opening') this.#tally.failed(this.#kind, openedAtMs, `refused: ${reason}`);
        if (phase === 'left') return;
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
