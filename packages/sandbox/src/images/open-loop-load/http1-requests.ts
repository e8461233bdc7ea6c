import { Agent, get } from 'node:http';
import type { Tally } from './tally.ts';

/** A request that has no answer by then is lost. */
export const REQUEST_TIMEOUT_MS = 15_000;

/** HTTP/1.1: each request on a connection of its own, or on those that are kept. Nothing is tried twice. */
export class Http1Requests {
  readonly #kind: 'http1-new' | 'http1-kept';
  readonly #agent: Agent | false;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #tally: Tally;

  constructor(
    kind: 'http1-new' | 'http1-kept',
    target: { readonly host: string; readonly port: number },
    tally: Tally,
  ) {
    this.#kind = kind;
    this.#agent = kind === 'http1-kept' ? new Agent({ keepAlive: true }) : false;
    this.#target = target;
    this.#tally = tally;
  }

  readonly start = (intendedAtMs: number): void => {
    let isOver = false;
    const end = (problem: string | null): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      if (problem === null) this.#tally.ok(this.#kind, intendedAtMs);
      else this.#tally.failed(this.#kind, intendedAtMs, problem);
    };
    const options = { ...this.#target, path: '/', agent: this.#agent };
    const request = get(options, (response) => {
      const { statusCode, headers } = response;
      const flags = headers['x-envoy-upstream-service-time'] === undefined ? ' of a proxy' : '';
      response.resume();
      response.once('end', () => end(statusCode === 200 ? null : `status ${statusCode}${flags}`));
      response.once('error', (error) => end(`answer cut: ${error.message}`));
    });
    const timer = setTimeout(() => {
      end('no answer');
      request.destroy();
    }, REQUEST_TIMEOUT_MS);
    request.once('error', (error) => {
      end(`${error.message}${request.reusedSocket ? ' on a kept connection' : ''}`);
    });
  };
}
