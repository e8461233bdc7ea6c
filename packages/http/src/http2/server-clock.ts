import type { ServerTimes } from '../exchange.ts';
import { HttpError } from '../http-error.ts';
import { TOO_SLOW } from '../problem.ts';
import type { Swept } from '../sockets/sweeper.ts';
import type { Http2Stream } from './stream.ts';
import type { StreamRegistry } from './stream-registry.ts';

interface ClockDeps {
  readonly streams: StreamRegistry;
  /** The first SETTINGS, or the end of a header block, are awaited. */
  readonly isReadingHead: () => boolean;
  readonly onSlowHead: (error: HttpError) => void;
  /** There has been no stream for long. */
  readonly onIdle: () => void;
}

/** Applies the limits of time of a server's connection. */
export class ServerClock implements Swept {
  readonly #times: ServerTimes;
  readonly #deps: ClockDeps;
  #headSinceMs: number | null = null;
  #idleSinceMs: number | null = null;

  constructor(times: ServerTimes, deps: ClockDeps) {
    this.#times = times;
    this.#deps = deps;
  }

  sweep(nowMs: number): void {
    const { headMs, connectionIdleMs } = this.#times;
    const { streams, isReadingHead, onSlowHead, onIdle } = this.#deps;
    this.#headSinceMs = isReadingHead() ? (this.#headSinceMs ?? nowMs) : null;
    this.#idleSinceMs = streams.size === 0 ? (this.#idleSinceMs ?? nowMs) : null;
    if (isOver(headMs, this.#headSinceMs, nowMs)) {
      onSlowHead(
        new HttpError(TOO_SLOW.headMs.message, {
          reason: 'ENHANCE_YOUR_CALM',
          kind: 'silent',
          scope: 'connection',
        }),
      );
    } else if (isOver(connectionIdleMs, this.#idleSinceMs, nowMs)) onIdle();
    else if (streams.size > 0) this.#sweepStreams(nowMs);
  }

  #sweepStreams(nowMs: number): void {
    const { exchangeIdleMs, requestMs } = this.#times;
    if (exchangeIdleMs === 0 && requestMs === 0) return;
    for (const stream of this.#deps.streams.all()) {
      const exceeded = stream.exceeded(this.#times, nowMs);
      if (exceeded !== null) giveUp(stream, exceeded);
    }
  }
}

function giveUp(stream: Http2Stream, exceeded: 'exchangeIdleMs' | 'requestMs'): void {
  const problem = TOO_SLOW[exceeded];
  const facts = { reason: 'CANCEL', kind: 'silent', scope: 'exchange' } as const;
  const isAnswered = stream.sending.kind === 'idle';
  const answered = { problem, bytesSent: 0 };
  stream.giveUp(
    [':status', String(problem.status)],
    new HttpError(problem.message, isAnswered ? { ...facts, answered } : facts),
  );
}

function isOver(limitMs: number, sinceMs: number | null, nowMs: number): boolean {
  return limitMs > 0 && sinceMs !== null && nowMs - sinceMs > limitMs;
}
