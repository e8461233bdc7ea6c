/** How often to ask whether the peer is there, and how long an answer may take, in ms. */
export interface KeepAliveOptions {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** Pings on a timer while the connection lives; `onDead` if an answer is overdue. */
export class KeepAlive {
  readonly #options: KeepAliveOptions;
  readonly #ping: () => void;
  readonly #onDead: () => void;
  readonly #interval: NodeJS.Timeout;
  #deadline: NodeJS.Timeout | null = null;

  constructor(
    options: KeepAliveOptions,
    { ping, onDead }: { readonly ping: () => void; readonly onDead: () => void },
  ) {
    this.#options = options;
    this.#ping = ping;
    this.#onDead = onDead;
    this.#interval = setInterval(() => this.#ask(), options.intervalMs).unref();
  }

  answered(): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    this.#deadline = null;
  }

  stop(): void {
    clearInterval(this.#interval);
    this.answered();
  }

  #ask(): void {
    if (this.#deadline !== null) return;
    this.#deadline = setTimeout(() => this.#onDead(), this.#options.timeoutMs).unref();
    this.#ping();
  }
}
