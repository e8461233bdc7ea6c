// hot path: every request that is mirrored
import type {
  AnswerListener,
  BodyLength,
  BodyListener,
  ClientConnection,
  Exchange,
  RequestHead,
} from '@aquifer/http';
import type { Host } from '../clusters/host.ts';
import type { HttpVersion, RequestPool, RequestWaiter } from '../upstream/request-pool.ts';
import { HeldBytes, maySpare } from './held-bytes.ts';
import { type BodyCopy, MAX_REPLAY_BYTES } from './request-body.ts';
import type { Timeout, TimerWheel } from './timer-wheel.ts';

/** How a copy is sent. */
export interface MirrorOptions {
  readonly version: HttpVersion;
  readonly head: RequestHead;
  readonly body: BodyLength;
  readonly timers: TimerWheel;
  /** From its start; 0 is no limit. */
  readonly timeoutMs: number;
}

/**
 * ```
 * connecting ──► open ◄──► full (the host takes no more for now) ──► over
 * ```
 */
type State =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'open'; readonly exchange: Exchange }
  | { readonly kind: 'full'; readonly exchange: Exchange }
  | { readonly kind: 'over' };

const OVER: State = { kind: 'over' };

/**
 * A copy of a request, of whose answer nobody hears (spec l7 1.12). It never holds up the request itself: a host that
 * falls behind by more than 1 MiB is given up, or by less where all requests together hold too much.
 */
export class Mirror implements BodyCopy, RequestWaiter {
  readonly #host: Host;
  readonly #pool: RequestPool;
  readonly #options: MirrorOptions;
  readonly #held = new HeldBytes();
  readonly #timeout: Timeout | null;
  #state: State = { kind: 'connecting' };
  #connection: ClientConnection | null = null;
  #isComplete = false;

  constructor(host: Host, options: MirrorOptions) {
    this.#host = host;
    this.#pool = host.pool.of(options.version);
    this.#options = options;
    const { timers, timeoutMs } = options;
    this.#timeout = timeoutMs > 0 ? timers.start(timeoutMs, () => this.cut()) : null;
    host.active += 1;
  }

  start(): void {
    const connection = this.#pool.take();
    if (connection === null) this.#pool.wait(this);
    else this.onConnection(connection);
  }

  onNoConnection(): void {
    this.#leave();
  }

  onData(chunk: Buffer): void {
    const state = this.#state;
    if (state.kind === 'over') return;
    if (state.kind === 'open') {
      if (!state.exchange.write(chunk)) this.#state = { ...state, kind: 'full' };
      return;
    }
    const bytes = this.#held.bytes + chunk.length;
    if (bytes > MAX_REPLAY_BYTES || !maySpare(chunk.length)) this.cut();
    else this.#held.append(chunk);
  }

  onEnd(): void {
    this.#isComplete = true;
    this.#endIfSent();
  }

  cut(): void {
    const state = this.#state;
    this.#leave();
    if (state.kind !== 'open' && state.kind !== 'full') return;
    state.exchange.reset();
    this.#pool.release(this.#connection!);
  }

  #lost(connection: ClientConnection): void {
    if (this.#state.kind === 'over') return;
    this.#leave();
    this.#pool.release(connection);
  }

  onConnection(connection: ClientConnection): void {
    const answer: AnswerListener & BodyListener = {
      onHead: () => exchange.receive(answer),
      onData: () => undefined,
      onEnd: () => {
        this.#leave();
        exchange.reset('NO_ERROR');
        this.#pool.release(connection);
      },
      onDrain: () => this.#goOn(exchange),
      onClose: () => this.#lost(connection),
      onFailure: () => this.#lost(connection),
    };
    this.#connection = connection;
    const { head, body } = this.#options;
    const exchange = connection.request(head, body, { listener: answer, isUpgrade: false });
    this.#goOn(exchange);
  }

  /** There is room, or the first of it. */
  #goOn(exchange: Exchange): void {
    if (this.#state.kind === 'over') return;
    let hasRoom = true;
    while (hasRoom && !this.#held.isRead) hasRoom = exchange.write(this.#held.read());
    this.#held.dropRead();
    this.#state = { kind: hasRoom ? 'open' : 'full', exchange };
    exchange.flush();
    this.#endIfSent();
  }

  #endIfSent(): void {
    const state = this.#state;
    const isOpen = state.kind === 'open' || state.kind === 'full';
    if (isOpen && this.#isComplete && this.#held.isRead) state.exchange.end();
  }

  #leave(): void {
    if (this.#state.kind === 'over') return;
    if (this.#state.kind === 'connecting') this.#pool.cancel(this);
    else this.#host.breakers.requestEnded();
    this.#state = OVER;
    this.#timeout?.cancel();
    this.#host.active -= 1;
    this.#held.drop();
  }
}
