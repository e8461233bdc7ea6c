import type { HttpHandler } from './http-server.ts';

/** Names of what must happen before a process is ready (spec ztunnel 9.4). */
export class Readiness {
  readonly #pending: Set<string>;

  constructor(tasks: readonly string[]) {
    this.#pending = new Set(tasks);
  }

  done(task: string): void {
    this.#pending.delete(task);
  }

  /** It has to happen again. */
  pending(task: string): void {
    this.#pending.add(task);
  }

  get isReady(): boolean {
    return this.#pending.size === 0;
  }

  /** Serves `GET /healthz/ready`. */
  readonly handler: HttpHandler = ({ method }) => {
    if (method !== 'GET') return { status: 405, body: '' };
    if (this.isReady) return { status: 200, contentType: 'text/plain', body: 'ready\n' };
    const names = [...this.#pending].toSorted().join(', ');
    return { status: 500, contentType: 'text/plain', body: `not ready, pending: ${names}\n` };
  };
}
