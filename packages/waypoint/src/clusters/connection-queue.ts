// hot path: every attempt that finds no idle connection
import type { Breakers } from './breakers.ts';

/** Who waits for a connection. It is told once: a connection, or why there is none. */
export interface ConnectionWaiter<C> {
  onConnection(connection: C): void;
  onNoConnection(error: Error): void;
}

/**
 * Who waits for a connection to one host, oldest first, and how many connections the host has. A pool asks it when to
 * open another one. Always: no more are being opened than there are waiting (Envoy's `ConnPoolImplBase`).
 */
export class ConnectionQueue<C> {
  readonly #breakers: Breakers;
  readonly #waiting = new Set<ConnectionWaiter<C>>();
  #connections = 0;
  #connecting = 0;

  constructor(breakers: Breakers) {
    this.#breakers = breakers;
  }

  /** False if too many wait already: then this one does not. */
  wait(waiter: ConnectionWaiter<C>): boolean {
    if (!this.#breakers.admitPending()) return false;
    this.#waiting.add(waiter);
    return true;
  }

  /** Does nothing for who does not wait. */
  cancel(waiter: ConnectionWaiter<C>): void {
    if (this.#waiting.delete(waiter)) this.#breakers.pendingEnded();
  }

  /** Takes the one that has waited longest. */
  next(): ConnectionWaiter<C> | null {
    for (const waiter of this.#waiting) {
      this.cancel(waiter);
      return waiter;
    }
    return null;
  }

  /** True if a connection is to be opened now; it counts from then on. */
  opens(): boolean {
    if (this.#connecting >= this.#waiting.size) return false;
    if (this.#connections === 0) this.#breakers.addConnection();
    else if (!this.#breakers.admitConnection()) return false;
    this.#connections += 1;
    this.#connecting += 1;
    return true;
  }

  connected(): void {
    this.#connecting -= 1;
  }

  /** Nobody who waits is served by this host: all of them are told. */
  connectFailed(error: Error): void {
    this.#connecting -= 1;
    this.closed();
    const waiting = [...this.#waiting];
    for (const waiter of waiting) this.cancel(waiter);
    for (const waiter of waiting) waiter.onNoConnection(error);
  }

  /** One that was connected. */
  closed(): void {
    this.#connections -= 1;
    this.#breakers.connectionClosed();
  }
}
