import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { bodyOf, type Case, piecesOf } from './cases.ts';
import { fieldOf, type Http1Message, readMessage } from './http1-message.ts';
import { type Http2Event, Http2Wire } from './http2-wire.ts';
import { CASE_HEADER, type Script, type Seen } from './scripted-origin.ts';

/** How long nobody need do anything before something else must happen. */
const QUIET_MS = 2500;
const HOLD_MS = 150;
const CANCEL = 8;
const STREAM = 1;

/** What a client was told. */
export interface Outcome {
  interim: string[];
  /** Status, then names and values in turn. */
  head: readonly string[] | null;
  body: string;
  trailers: readonly string[] | null;
  /** Reset: over HTTP/2, with the code; whole and cut are told by framing. */
  end: 'open' | 'whole' | 'cut' | `reset ${number}`;
  /** What became of one more request on the same connection: its status, or that there was no asking. */
  next: string;
  /** Of the client's own end of the connection. */
  localPort: number;
}

/** Whom and what is asked, of which proxy. */
export interface Asked {
  readonly port: number;
  readonly host: string;
  /** Value of the header that tells cases apart. */
  readonly key: string;
  readonly made: Case;
  readonly script: Script;
}

export async function ask(asked: Asked): Promise<Outcome> {
  const socket = connect({ port: asked.port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const client =
    asked.made.version === 'HTTP/1.1'
      ? new Http1Client(socket, asked)
      : new Http2Client(socket, asked);
  const { localPort } = socket;
  const watchdog = setTimeout(() => socket.destroy(), QUIET_MS);
  try {
    await converse(client, asked);
    await client.next();
  } finally {
    clearTimeout(watchdog);
    // An end alone would say that nothing more is asked, not that nobody listens.
    socket.resetAndDestroy();
  }
  return { ...client.outcome, localPort: localPort ?? 0 };
}

/** What both versions have in common, so that the same case is played to both. */
interface Client {
  readonly outcome: Outcome;
  head(isWhole: boolean): void;
  piece(bytes: Buffer, isLast: boolean): Promise<void>;
  trailers(fields: readonly string[]): void;
  leave(): void;
  next(): Promise<void>;
  /** Resolves when something has arrived. */
  change(): Promise<void>;
}

async function converse(client: Client, asked: Asked): Promise<void> {
  const conversation = new Conversation(client, asked);
  if (await conversation.sendRequest()) await conversation.hearAnswer();
}

class Conversation {
  readonly #client: Client;
  readonly #made: Case;
  readonly #script: Script;

  constructor(client: Client, { made, script }: Asked) {
    this.#client = client;
    this.#made = made;
    this.#script = script;
  }

  /** False if the client left within it. */
  async sendRequest(): Promise<boolean> {
    const client = this.#client;
    const { body } = this.#made.request;
    client.head(body === null);
    if (body === null) return true;
    const trailers = body.trailers.flat();
    const pieces = piecesOf(bodyOf(body.bytes), body.cuts);
    for (const [i, piece] of pieces.entries()) {
      const isLast = i === pieces.length - 1;
      if (isLast && body.holds && !(await this.#hold())) return false;
      await client.piece(piece, isLast && trailers.length === 0);
      if (!isLast) await delay(1);
    }
    if (trailers.length > 0) client.trailers(trailers);
    return true;
  }

  /** Waits for an answer before the end of the request; false if the client left meanwhile. */
  async #hold(): Promise<boolean> {
    const leaves = this.#made.leaves === 'in-request';
    await this.#until(() => leaves && this.#upstream !== undefined, HOLD_MS);
    if (!leaves || !this.#isOpen) return true;
    this.#client.leave();
    return false;
  }

  async hearAnswer(): Promise<void> {
    const { leaves, answers } = this.#made;
    const { outcome } = this.#client;
    const expected = answers[0].bytes - 1;
    if (leaves === 'waiting') {
      await this.#until(() => this.#upstream?.end === 'whole', QUIET_MS / 3);
    } else if (leaves === 'in-answer') {
      await this.#until(
        () => outcome.head !== null && outcome.body.length >= expected,
        QUIET_MS / 3,
      );
    } else {
      await this.#until(() => false, QUIET_MS);
      return;
    }
    // What is on its way is here by then, and the proxy has written it down.
    if (this.#isOpen) await delay(20);
    if (this.#isOpen) this.#client.leave();
  }

  get #isOpen(): boolean {
    return this.#client.outcome.end === 'open';
  }

  get #upstream(): Seen | undefined {
    return this.#script.seen.filter(({ cluster }) => cluster !== 'shadow').at(-1);
  }

  async #until(condition: () => boolean, atMostMs: number): Promise<void> {
    const end = Date.now() + atMostMs;
    while (this.#isOpen && !condition() && Date.now() < end) {
      const left = delay(Math.max(1, end - Date.now()));
      await Promise.race([this.#client.change(), this.#script.change(), left]);
    }
  }
}

abstract class Waiting {
  readonly outcome: Outcome = {
    interim: [],
    head: null,
    body: '',
    trailers: null,
    end: 'open',
    next: '-',
    localPort: 0,
  };
  #waiting: (() => void)[] = [];

  change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  protected changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

function authorityOf({ host, made }: Asked): string {
  switch (made.request.authority) {
    case 'plain':
      return host;
    case 'capitals':
      return host.toUpperCase();
    case 'port':
      return `${host}:8080`;
  }
}

class Http1Client extends Waiting implements Client {
  readonly #socket: Socket;
  readonly #asked: Asked;
  #text = '';
  #hasEnded = false;
  #isSent = false;
  #after = 0;

  constructor(socket: Socket, asked: Asked) {
    super();
    this.#socket = socket;
    this.#asked = asked;
    socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1');
      this.#read();
    });
    socket.on('close', () => {
      this.#hasEnded = true;
      this.#read();
      if (this.outcome.end === 'open') this.outcome.end = 'cut';
      this.changed();
    });
  }

  head(isWhole: boolean): void {
    const { made, key } = this.#asked;
    const { method, path, fields, body } = made.request;
    const lines = [
      `${method} ${path} HTTP/1.1`,
      `Host: ${authorityOf(this.#asked)}`,
      `${CASE_HEADER}: ${key}`,
    ];
    for (const [name, value] of fields) lines.push(`${name}: ${value}`);
    if (body !== null && this.#isChunked) lines.push('Transfer-Encoding: chunked');
    else if (body !== null) lines.push(`Content-Length: ${body.bytes}`);
    this.#isSent = isWhole;
    this.#socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  }

  /** Only chunks carry trailers. */
  get #isChunked(): boolean {
    const body = this.#asked.made.request.body!;
    return !body.saysLength || body.trailers.length > 0;
  }

  piece(bytes: Buffer, isLast: boolean): Promise<void> {
    if (this.#isChunked) {
      if (bytes.length > 0)
        this.#socket.write(`${bytes.length.toString(16)}\r\n${bytes.toString('latin1')}\r\n`);
      if (isLast) this.#socket.write('0\r\n\r\n');
    } else this.#socket.write(bytes);
    this.#isSent = isLast;
    return Promise.resolve();
  }

  trailers(fields: readonly string[]): void {
    this.#isSent = true;
    const lines = fields.flatMap((name, i) =>
      i % 2 === 0 ? [`${name}: ${fields[i + 1]}\r\n`] : [],
    );
    this.#socket.write(`0\r\n${lines.join('')}\r\n`);
  }

  leave(): void {
    this.#socket.resetAndDestroy();
  }

  #read(): void {
    const { outcome } = this;
    while (outcome.end === 'open') {
      const message = readMessage(this.#text, this.#asked.made.request.method, this.#hasEnded);
      if (message === null) break;
      const [, status = ''] = message.startLine.split(' ');
      const told = [message.startLine, ...message.fields];
      if (/^1(?!01)/.test(status)) {
        outcome.interim.push(told.join('|'));
        this.#text = this.#text.slice(message.length);
        continue;
      }
      this.#take(message, told);
      break;
    }
    this.changed();
  }

  #take(message: Http1Message, told: readonly string[]): void {
    Object.assign(this.outcome, { head: told, body: message.body, trailers: message.trailers });
    if (!message.isComplete) return;
    this.outcome.end = 'whole';
    this.#after = message.length;
  }

  /** Another request, where the answer has not said that there will be none. */
  async next(): Promise<void> {
    const { outcome } = this;
    if (outcome.end !== 'whole' || outcome.head === null) return;
    const closes = fieldOf(outcome.head.slice(1), 'connection')?.toLowerCase() === 'close';
    if (closes || !this.#isSent || this.#hasEnded) {
      // The bytes that were promised are here; the upstream's end may not have reached the proxy.
      await delay(15);
      outcome.next = closes ? 'closes' : 'not asked';
      return;
    }
    outcome.next = await this.#askAgain();
  }

  async #askAgain(): Promise<string> {
    this.#socket.write(`GET /next HTTP/1.1\r\nHost: next.test\r\n\r\n`);
    const end = Date.now() + 500;
    let answer = null;
    while (answer === null && !this.#hasEnded && Date.now() < end) {
      answer = readMessage(this.#text.slice(this.#after), 'GET', false);
      if (answer === null) await Promise.race([this.change(), delay(500)]);
    }
    return answer === null ? 'nothing' : answer.startLine;
  }
}

class Http2Client extends Waiting implements Client {
  readonly #wire: Http2Wire;
  readonly #asked: Asked;
  #next: string | null = null;

  constructor(socket: Socket, asked: Asked) {
    super();
    this.#asked = asked;
    this.#wire = new Http2Wire(socket, 'client', (event) => this.#onEvent(event));
    socket.on('data', (chunk: Buffer) => this.#wire.receive(chunk));
    socket.on('close', () => {
      if (this.outcome.end === 'open') this.outcome.end = 'cut';
      this.changed();
    });
  }

  #onEvent(event: Http2Event): void {
    if (event.kind === 'goaway') return;
    const isNext = event.stream === STREAM + 2 && event.kind === 'headers';
    if (isNext) this.#next = event.fields[1] ?? '';
    if (event.stream === STREAM && this.outcome.end === 'open') this.#take(event);
    this.changed();
  }

  #take(event: Exclude<Http2Event, { kind: 'goaway' }>): void {
    const { outcome } = this;
    if (event.kind === 'reset') {
      outcome.end = event.code === 0 && outcome.head !== null ? 'cut' : `reset ${event.code}`;
      return;
    }
    if (event.kind === 'data') outcome.body += event.bytes.toString('latin1');
    else this.#takeFields(event.fields);
    if (event.isEnd) outcome.end = 'whole';
  }

  #takeFields(fields: readonly string[]): void {
    const { outcome } = this;
    const told = fields.slice(1);
    if (outcome.head !== null) outcome.trailers = fields;
    else if (/^1/.test(told[0] ?? '')) outcome.interim.push(told.join('|'));
    else outcome.head = told;
  }

  head(isWhole: boolean): void {
    const { made, key } = this.#asked;
    const { method, path, fields, body } = made.request;
    const list = [
      ':method',
      method,
      ':scheme',
      'http',
      ':authority',
      authorityOf(this.#asked),
      ':path',
      path,
    ];
    list.push(CASE_HEADER, key, ...fields.flat());
    if (body?.saysLength) list.push('content-length', String(body.bytes));
    this.#wire.headers(STREAM, list, isWhole);
  }

  piece(bytes: Buffer, isLast: boolean): Promise<void> {
    // An answer may end a request that waits for room.
    const gone = (async () => {
      while (this.outcome.end === 'open') await this.change();
    })();
    return Promise.race([this.#wire.data(STREAM, bytes, isLast), gone]);
  }

  trailers(fields: readonly string[]): void {
    this.#wire.headers(STREAM, fields, true);
  }

  leave(): void {
    this.#wire.reset(STREAM, CANCEL);
  }

  async next(): Promise<void> {
    if (this.#wire.socket.destroyed) return;
    const list = [':method', 'GET', ':scheme', 'http', ':authority', 'next.test', ':path', '/next'];
    this.#wire.headers(STREAM + 2, list, true);
    const end = Date.now() + 500;
    while (this.#next === null && !this.#wire.socket.destroyed && Date.now() < end) {
      await Promise.race([this.change(), delay(500)]);
    }
    this.outcome.next = this.#next ?? 'nothing';
  }
}
