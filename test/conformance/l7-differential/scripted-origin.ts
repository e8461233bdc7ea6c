import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Answer } from './cases.ts';
import { fieldOf, readMessage } from './http1-message.ts';
import { type Http2Event, Http2Wire, PREFACE } from './http2-wire.ts';
import { answerHttp1, answerHttp2 } from './origin-answers.ts';

/** The header by which an origin knows which case a request belongs to. */
export const CASE_HEADER = 'x-case';

/** One request as an origin saw it. */
export interface Seen {
  readonly cluster: string;
  readonly version: 'HTTP/1.1' | 'HTTP/2';
  readonly method: string;
  readonly path: string;
  /** HTTP/1.1 has none. */
  readonly scheme: string | null;
  readonly authority: string | null;
  readonly fields: readonly string[];
  body: string;
  trailers: readonly string[] | null;
  end: 'open' | 'whole' | 'cut';
}

/** What origins do for one case, and what they have seen of it. */
export class Script {
  readonly seen: Seen[] = [];
  readonly #answers: readonly [Answer, ...Answer[]];
  #waiting: (() => void)[] = [];
  #attempts = 0;

  constructor(answers: readonly [Answer, ...Answer[]]) {
    this.#answers = answers;
  }

  /** Of a mirror nothing is said. */
  next(cluster: string): Answer {
    if (cluster === 'shadow') return this.#answers[0];
    const answer = this.#answers[Math.min(this.#attempts, this.#answers.length - 1)]!;
    this.#attempts += 1;
    return answer;
  }

  changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves when no request is under way any more, or soon after. */
  async settled(): Promise<void> {
    for (let left = 20; left > 0 && this.seen.some(({ end }) => end === 'open'); left--)
      await delay(5);
  }

  /** Resolves when something new is known. */
  change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** Origins behind the clusters of one lane, which do what the script of each request's case says. */
export class ScriptedOrigin {
  readonly scripts = new Map<string, Script>();
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  /** The port of a new endpoint of a cluster. */
  async listen(cluster: string): Promise<number> {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => this.#sockets.delete(socket));
      new OriginConnection(socket, cluster, this.scripts);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** One request that is being read and answered. */
interface Served {
  readonly seen: Seen;
  readonly script: Script;
  readonly answer: Answer;
  isAnswered: boolean;
}

/** Speaks whichever version it is spoken to. */
class OriginConnection {
  readonly #socket: Socket;
  readonly #cluster: string;
  readonly #scripts: ReadonlyMap<string, Script>;
  #bytes = '';
  #http2: Http2Wire | null = null;
  #request: Served | null = null;
  readonly #streams = new Map<number, Served>();

  constructor(socket: Socket, cluster: string, scripts: ReadonlyMap<string, Script>) {
    this.#socket = socket;
    this.#cluster = cluster;
    this.#scripts = scripts;
    socket.on('data', (chunk: Buffer) => this.#onBytes(chunk));
    socket.on('end', () => socket.end());
    socket.once('close', () => this.#onClose());
  }

  #onBytes(chunk: Buffer): void {
    if (this.#http2 !== null) {
      this.#http2.receive(chunk);
      return;
    }
    this.#bytes += chunk.toString('latin1');
    if (PREFACE.startsWith(this.#bytes.slice(0, PREFACE.length))) {
      if (this.#bytes.length < PREFACE.length) return;
      const rest = this.#bytes.slice(PREFACE.length);
      this.#http2 = new Http2Wire(this.#socket, 'server', (event) => this.#onEvent(event));
      this.#http2.receive(Buffer.from(rest, 'latin1'));
      return;
    }
    this.#readRequests();
  }

  #onClose(): void {
    for (const served of [this.#request, ...this.#streams.values()]) cut(served);
  }

  #serve(
    about: Pick<Seen, 'version' | 'method' | 'scheme' | 'path' | 'authority' | 'fields'>,
  ): Served | null {
    const script = this.#scripts.get(fieldOf(about.fields, CASE_HEADER) ?? '');
    if (script === undefined) return null;
    const seen: Seen = { cluster: this.#cluster, ...about, body: '', trailers: null, end: 'open' };
    script.seen.push(seen);
    const served = { seen, script, answer: script.next(this.#cluster), isAnswered: false };
    script.changed();
    return served;
  }

  // HTTP/1.1

  #readRequests(): void {
    for (;;) {
      const message = readMessage(this.#bytes, null, false);
      if (message === null) return;
      const { startLine, fields, body, trailers, isComplete, length } = message;
      const [method = '', path = ''] = startLine.split(' ');
      const authority = fieldOf(fields, 'host');
      this.#request ??= this.#serve({
        version: 'HTTP/1.1',
        method,
        scheme: null,
        path,
        authority,
        fields,
      });
      const served = this.#request;
      if (served === null) {
        this.#socket.destroy();
        return;
      }
      served.seen.body = body;
      if (isComplete) {
        Object.assign(served.seen, { end: 'whole', trailers });
        this.#bytes = this.#bytes.slice(length);
        this.#request = null;
      }
      served.script.changed();
      if ((isComplete || served.answer.isEarly) && !served.isAnswered) {
        served.isAnswered = true;
        void answerHttp1(this.#socket, served.answer, method);
      }
      if (!isComplete) return;
    }
  }

  // HTTP/2

  #onEvent(event: Http2Event): void {
    if (event.kind === 'goaway') return;
    const { stream } = event;
    if (event.kind === 'headers' && !this.#streams.has(stream)) {
      this.#begin(stream, event.fields, event.isEnd);
      return;
    }
    const served = this.#streams.get(stream);
    if (served === undefined) return;
    if (event.kind === 'reset') {
      this.#http2?.forget(stream);
      cut(served);
    } else if (event.kind === 'data') served.seen.body += event.bytes.toString('latin1');
    else served.seen.trailers = event.fields;
    if (event.kind !== 'reset' && event.isEnd) this.#onWhole(stream, served);
    served.script.changed();
  }

  #begin(stream: number, fields: readonly string[], isEnd: boolean): void {
    const pseudo = (name: string): string | null => fieldOf(fields, name);
    const served = this.#serve({
      version: 'HTTP/2',
      method: pseudo(':method') ?? '',
      scheme: pseudo(':scheme'),
      path: pseudo(':path') ?? '',
      authority: pseudo(':authority'),
      fields: fields.slice(
        fields.findLastIndex((text, i) => i % 2 === 0 && text.startsWith(':')) + 2,
      ),
    });
    if (served === null) {
      this.#http2?.reset(stream, 2);
      return;
    }
    this.#streams.set(stream, served);
    if (isEnd) this.#onWhole(stream, served);
    else if (served.answer.isEarly) this.#answer(stream, served);
  }

  #onWhole(stream: number, served: Served): void {
    served.seen.end = 'whole';
    this.#answer(stream, served);
    served.script.changed();
  }

  #answer(stream: number, served: Served): void {
    if (served.isAnswered) return;
    served.isAnswered = true;
    const { answer, seen } = served;
    void answerHttp2(this.#http2!, stream, { answer, method: seen.method });
  }
}

function cut(served: Served | null): void {
  if (served === null || served.seen.end !== 'open') return;
  served.seen.end = 'cut';
  served.script.changed();
}
