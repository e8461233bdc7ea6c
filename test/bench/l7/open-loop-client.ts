/**
 * An open-loop client of HTTP/1.1 (arguments: host, port, path, requests a second, seconds, connections): requests start
 * when it is their time, whatever has become of those before. Prints an `OpenLoopResult` as JSON.
 */
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import type { Pace } from './open-loop-pacer.ts';

/** Times count from when a request should have started, also when it had to wait for a connection. */
export interface OpenLoopResult {
  /** Not answered with 200, or not at all within 5 s of the last one's start. */
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The longest time in which no answer came. */
  readonly longestGapMs: number;
  /** How much later than it should a request started for which there was a connection: no doing of the proxy's. */
  readonly longestLateMs: number;
}

const [host = '', port = '', path = '', perSecond = '', seconds = '', connections = ''] =
  process.argv.slice(2);
const REQUEST = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const INTERVAL_MS = 1000 / Number(perSecond);
const COUNT = Math.round(Number(perSecond) * Number(seconds));
const LAST_ANSWER_MS = 5000;
/** The thread that wakes us is there by then. */
const START_MS = 200;

/** Start times of requests that wait for a connection. */
const waiting: number[] = [];
const idle: Connection[] = [];
const latenciesMs: number[] = [];
let failed = 0;
let longestGapMs = 0;
let longestLateMs = 0;
let lastAnswerMs = 0;

/** A connection to the proxy, and another one when that has ended. */
class Connection {
  #socket: Socket;
  #intendedMs: number | null = null;
  #answer = '';

  constructor() {
    this.#socket = this.#connect();
  }

  #connect(): Socket {
    const socket = connect({ host, port: Number(port), noDelay: true });
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (socket !== this.#socket) return;
      const wasBusy = this.#intendedMs !== null;
      this.#socket = this.#connect();
      this.#answer = '';
      if (!wasBusy) return;
      failed += 1;
      this.#free();
    });
    return socket;
  }

  send(intendedMs: number): void {
    this.#intendedMs = intendedMs;
    this.#socket.write(REQUEST);
  }

  #read(text: string): void {
    this.#answer += text;
    const end = this.#answer.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#answer.slice(0, end);
    const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
    if (this.#answer.length < end + 4 + length || this.#intendedMs === null) return;
    this.#answer = '';
    const nowMs = performance.now();
    if (head.startsWith('HTTP/1.1 200 ')) latenciesMs.push(nowMs - this.#intendedMs);
    else failed += 1;
    if (lastAnswerMs > 0) longestGapMs = Math.max(longestGapMs, nowMs - lastAnswerMs);
    lastAnswerMs = nowMs;
    if (/^connection: close$/im.test(head)) {
      const ended = this.#socket;
      this.#socket = this.#connect();
      ended.destroy();
    }
    this.#free();
  }

  #free(): void {
    this.#intendedMs = null;
    const next = waiting.shift();
    if (next !== undefined) this.send(next);
    else {
      idle.push(this);
      if (latenciesMs.length + failed === COUNT) report();
    }
  }
}

for (let i = 0; i < Number(connections); i++) idle.push(new Connection());
const beganMs = performance.now() + START_MS;
let started = 0;

/** Starts what is due. */
function turn(): void {
  const nowMs = performance.now();
  for (; started < COUNT; started++) {
    const intendedMs = beganMs + started * INTERVAL_MS;
    if (intendedMs > nowMs) break;
    const connection = idle.shift();
    if (connection === undefined) waiting.push(intendedMs);
    else {
      longestLateMs = Math.max(longestLateMs, nowMs - intendedMs);
      connection.send(intendedMs);
    }
  }
}

function report(): void {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const quantile = (part: number): number => sorted[Math.ceil(sorted.length * part) - 1] ?? 0;
  const result: OpenLoopResult = {
    failed: COUNT - sorted.length,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    longestGapMs,
    longestLateMs,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}

const pace: Pace = {
  beganMs: performance.timeOrigin + beganMs,
  intervalMs: INTERVAL_MS,
  count: COUNT,
};
new Worker(new URL('./open-loop-pacer.ts', import.meta.url), { workerData: pace })
  .on('message', turn)
  .on('exit', () => setTimeout(report, LAST_ANSWER_MS));
