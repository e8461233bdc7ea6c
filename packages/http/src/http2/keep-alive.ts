/** How often to ask whether the peer is there, and how long an answer may take, in ms. */
export interface KeepAliveOptions {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/**
 * Pings on a timer while nothing else arrives; `onDead` if nothing has come for the whole time that an answer may take.
 * Whatever arrives is a sign of life: the answer to a ping may wait behind megabytes.
 */
export class KeepAlive {
  readonly #options: KeepAliveOptions;
  readonly #ping: () => void;
  readonly #onDead: () => void;
  readonly #interval: NodeJS.Timeout;
  #reads = 0;
  #readsAtLastTick = -1;
  #deadline: NodeJS.Timeout | null = null;

  constructor(
    options: KeepAliveOptions,
    { ping, onDead }: { readonly ping: () => void; readonly onDead: () => void },
  ) {
    this.#options = options;
    this.#ping = ping;
    this.#onDead = onDead;
    this.#interval = setInterval(() => this.#tick(), options.intervalMs).unref();
  }

  /** Counts what has arrived: it has grown when the peer has shown that it is there. */
  get reads(): number {
    return this.#reads;
  }

  /** Something arrived. */
  heard(): void {
    this.#reads += 1;
  }

  stop(): void {
    clearInterval(this.#interval);
    if (this.#deadline !== null) clearTimeout(this.#deadline);
  }

  #tick(): void {
    const isQuiet = this.#reads === this.#readsAtLastTick;
    this.#readsAtLastTick = this.#reads;
    if (!isQuiet || this.#deadline !== null) return;
    const before = this.#reads;
    this.#deadline = setTimeout(() => {
      this.#deadline = null;
      if (this.#reads === before) this.#onDead();
    }, this.#options.timeoutMs).unref();
    this.#ping();
  }
}
