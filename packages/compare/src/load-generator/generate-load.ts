/**
 * An open loop of HTTP/1.1 requests: each starts when it is its time, whatever has become of those before. What a slow
 * answer holds up is late by as much as it would be for independent users, and counts so.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { LoadRequest, LoadResult } from '../load.ts';
import { histogramOf } from '../statistics/histogram.ts';
import { poissonArrivals, seededRandom } from '../statistics/random.ts';
import { AnswerReader } from './answer-reader.ts';
import type { Pace } from './pacer.ts';

const LAST_ANSWER_MS = 5_000;
const RECONNECT_MS = 20;

type Load = Omit<LoadRequest, 'url'> & { readonly url: URL };

/** Makes a load. Throws a RangeError for one that cannot be made. */
export async function generateLoad(request: LoadRequest): Promise<LoadResult> {
  const load = checked(request);
  const arrivals = poissonArrivals(load.rate, load.seconds, seededRandom(load.seed));
  return new OpenLoop(load, arrivals).run();
}

function checked({ url, ...numbers }: LoadRequest): Load {
  const parsed = URL.parse(url);
  if (parsed?.protocol !== 'http:') throw new RangeError(`url: ${url} is not an http:// URL`);
  for (const [name, value] of Object.entries(numbers)) {
    if (!(value > 0) || !Number.isFinite(value)) throw new RangeError(`${name}: not above 0`);
  }
  return { url: parsed, ...numbers };
}

class OpenLoop {
  readonly #arrivals: Float64Array;
  readonly #beginAtMs: number;
  readonly #beganLateMs: number;
  readonly #connections: readonly Connection[];
  readonly #idle: Connection[];
  /** Start times of requests that wait for a connection. */
  readonly #waiting: number[] = [];
  readonly #latenciesMs: number[] = [];
  readonly #finished = Promise.withResolvers<void>();
  #started = 0;
  #failed = 0;
  #longestGapMs = 0;
  #longestLateMs = 0;
  #lastAnswerMs = 0;

  constructor({ url, connections, beginAtMs }: Load, arrivals: Float64Array) {
    this.#arrivals = arrivals;
    this.#beginAtMs = beginAtMs - performance.timeOrigin;
    this.#beganLateMs = Math.max(0, performance.now() - this.#beginAtMs);
    this.#connections = Array.from(
      { length: connections },
      () => new Connection(url, (connection, answer) => this.#onEnd(connection, answer)),
    );
    this.#idle = [...this.#connections];
  }

  async run(): Promise<LoadResult> {
    const pace: Pace = {
      beginAtMs: performance.timeOrigin + this.#beginAtMs,
      arrivals: this.#arrivals,
    };
    const pacer = new Worker(new URL('./pacer.ts', import.meta.url), { workerData: pace });
    pacer.on('message', () => this.#startDue());
    await new Promise((resolve) => pacer.once('exit', resolve));
    this.#startDue();
    this.#finishIfDone();
    const tooLate = new AbortController();
    await Promise.race([
      this.#finished.promise,
      delay(LAST_ANSWER_MS, undefined, { signal: tooLate.signal }).catch(() => undefined),
    ]);
    tooLate.abort();
    for (const connection of this.#connections) connection.end();
    const { length: succeeded } = this.#latenciesMs;
    const { length: intended } = this.#arrivals;
    return {
      intended,
      succeeded,
      failed: intended - succeeded,
      latencies: histogramOf(this.#latenciesMs),
      longestGapMs: this.#longestGapMs,
      longestLateMs: this.#longestLateMs,
      beganLateMs: this.#beganLateMs,
    };
  }

  #startDue(): void {
    const nowMs = performance.now();
    for (; this.#started < this.#arrivals.length; this.#started++) {
      const intendedMs = this.#beginAtMs + this.#arrivals[this.#started]! * 1000;
      if (intendedMs > nowMs) return;
      const connection = this.#idle.shift();
      if (connection === undefined) this.#waiting.push(intendedMs);
      else {
        this.#longestLateMs = Math.max(this.#longestLateMs, nowMs - intendedMs);
        connection.send(intendedMs);
      }
    }
  }

  #onEnd(connection: Connection, answer: Ended): void {
    const nowMs = performance.now();
    if (answer.status === 200) this.#latenciesMs.push(nowMs - answer.intendedMs);
    else this.#failed += 1;
    if (this.#lastAnswerMs > 0) {
      this.#longestGapMs = Math.max(this.#longestGapMs, nowMs - this.#lastAnswerMs);
    }
    this.#lastAnswerMs = nowMs;
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(connection);
    else connection.send(next);
    this.#finishIfDone();
  }

  #finishIfDone(): void {
    const ended = this.#latenciesMs.length + this.#failed;
    if (ended === this.#arrivals.length) this.#finished.resolve();
  }
}

/** A request that is over; status null is one that was cut. */
interface Ended {
  readonly status: number | null;
  readonly intendedMs: number;
}

/** A connection to the server, and another one when that has ended. */
class Connection {
  readonly #url: URL;
  readonly #request: string;
  readonly #onEnd: (connection: Connection, ended: Ended) => void;
  readonly #reader = new AnswerReader();
  #socket: Socket;
  #intendedMs: number | null = null;
  #isOver = false;
  #isDown = false;

  constructor(url: URL, onEnd: (connection: Connection, ended: Ended) => void) {
    this.#url = url;
    this.#request = `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`;
    this.#onEnd = onEnd;
    this.#socket = this.#connect();
  }

  send(intendedMs: number): void {
    this.#intendedMs = intendedMs;
    if (!this.#isDown) this.#socket.write(this.#request);
  }

  end(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  #connect(): Socket {
    const { hostname, port } = this.#url;
    const socket = connect({ host: hostname, port: Number(port || 80), noDelay: true });
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#onData(text));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#onClose(socket));
    return socket;
  }

  #onData(text: string): void {
    const answer = this.#reader.read(text);
    if (answer === null) return;
    if (answer.isLast) {
      const ended = this.#socket;
      this.#socket = this.#connect();
      ended.destroy();
    }
    this.#finish(answer.status);
  }

  #onClose(socket: Socket): void {
    if (this.#isOver || socket !== this.#socket) return;
    const wasBusy = this.#intendedMs !== null;
    this.#isDown = true;
    this.#reader.reset();
    // A server that refuses would otherwise be asked without a pause.
    setTimeout(() => {
      if (this.#isOver) return;
      this.#isDown = false;
      this.#socket = this.#connect();
      if (wasBusy) this.#finish(null);
      else if (this.#intendedMs !== null) this.#socket.write(this.#request);
    }, RECONNECT_MS);
  }

  #finish(status: number | null): void {
    const intendedMs = this.#intendedMs;
    if (intendedMs === null) return;
    this.#intendedMs = null;
    this.#onEnd(this, { status, intendedMs });
  }
}
