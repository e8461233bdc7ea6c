import type {
  AnswerListener,
  BodyListener,
  ClientConnection,
  Exchange,
  HeaderList,
  RequestHead,
} from '@aquifer/http';
import { ANY_HOST, type Cluster } from '../clusters/cluster.ts';
import type { Host } from '../clusters/host.ts';
import type { HttpVersion, RequestPool, RequestWaiter } from '../upstream/request-pool.ts';
import type { Timeout, TimerWheel } from './timer-wheel.ts';

/** Longer answers are none, nor are those in very many pieces: each is held on its own. */
const MAX_ANSWER_BYTES = 1024 * 1024;
const PIECE_BYTES = 128;

/** Somebody else is asked something, beside the request that waits for it. */
export interface SideQuestion {
  readonly version: HttpVersion;
  readonly head: RequestHead;
  readonly body: Buffer;
  /** 0 is no limit. */
  readonly timeoutMs: number;
}

export interface SideAnswer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Buffer;
  readonly trailers: HeaderList;
}

/** One question to a cluster, tried once. `then` hears once; null if there is no answer. */
export class SideCall implements RequestWaiter {
  readonly #question: SideQuestion;
  readonly #then: (answer: SideAnswer | null) => void;
  readonly #timeout: Timeout | null;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #host: Host | null = null;
  #pool: RequestPool | null = null;
  #connection: ClientConnection | null = null;
  #exchange: Exchange | null = null;
  #isOver = false;

  constructor(
    question: SideQuestion,
    timers: TimerWheel,
    then: (answer: SideAnswer | null) => void,
  ) {
    this.#question = question;
    this.#then = then;
    const { timeoutMs } = question;
    this.#timeout = timeoutMs > 0 ? timers.start(timeoutMs, () => this.#fail()) : null;
  }

  start(cluster: Cluster | null): void {
    const host = cluster?.pick(ANY_HOST) ?? null;
    if (host === null) {
      this.#fail();
      return;
    }
    this.#host = host;
    host.active += 1;
    this.#pool = host.pool.of(this.#question.version);
    const connection = this.#pool.take();
    if (connection === null) this.#pool.wait(this);
    else this.onConnection(connection);
  }

  /** Nobody waits for the answer any more. */
  cancel(): void {
    this.#leave();
  }

  onNoConnection(): void {
    this.#fail();
  }

  onConnection(connection: ClientConnection): void {
    this.#connection = connection;
    const { head, body } = this.#question;
    let status = 0;
    let headers: HeaderList = [];
    let trailers: HeaderList = [];
    const answer: AnswerListener & BodyListener = {
      onHead: (said) => {
        status = said.status;
        headers = said.headers;
        exchange.receive(answer);
      },
      onData: (chunk) => this.#gather(chunk),
      onTrailers: (said) => {
        trailers = said;
      },
      onEnd: () => this.#answered({ status, headers, trailers, body: Buffer.concat(this.#chunks) }),
      onDrain: () => undefined,
      onClose: () => this.#fail(),
      onFailure: () => this.#fail(),
    };
    const exchange = connection.request(head, body.length, { listener: answer, isUpgrade: false });
    this.#exchange = exchange;
    if (body.length > 0) exchange.write(body);
    exchange.end();
  }

  #gather(chunk: Buffer): void {
    this.#bytes += PIECE_BYTES + chunk.length;
    if (this.#bytes > MAX_ANSWER_BYTES) this.#fail();
    else this.#chunks.push(Buffer.from(chunk));
  }

  #answered(answer: SideAnswer): void {
    if (this.#isOver) return;
    this.#leave();
    this.#then(answer);
  }

  #fail(): void {
    if (this.#isOver) return;
    this.#leave();
    this.#then(null);
  }

  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timeout?.cancel();
    if (this.#host === null || this.#pool === null) return;
    this.#host.active -= 1;
    if (this.#connection === null) {
      this.#pool.cancel(this);
      return;
    }
    this.#host.breakers.requestEnded();
    if (this.#exchange?.isOver === false) this.#exchange.reset('NO_ERROR');
    this.#pool.release(this.#connection);
  }
}
