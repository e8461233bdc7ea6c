import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  type AnswerHead,
  type BodyLength,
  type ClientConnection,
  type Exchange,
  type HeaderList,
  Http1ClientConnection,
  Http1ServerConnection,
  Http2Connection,
  type HttpError,
  type ServerExchange,
} from '@aquifer/http';
import { onTestFinished } from 'vitest';
import { cutPair } from '../fixtures/cut-pair.ts';

const LIMITS = {
  streamWindowBytes: 65_535,
  maxStreamWindowBytes: 262_144,
  windowGrowthBytes: 1_048_576,
  connectionWindowBytes: 262_144,
  maxFrameBytes: 16_384,
  maxHeaderListBytes: 65_536,
} as const;

/** A client and what it is connected to. */
export interface Connected {
  readonly client: ClientConnection;
  /** Ends the wire between the two, without a word. */
  cut(): void;
}

/** One version of HTTP, both ends of it ours. */
export interface Version {
  readonly name: string;
  /** Many exchanges share a connection. */
  readonly isMultiplexed: boolean;
  connect(onRequest: (exchange: ServerExchange) => void): Promise<Connected>;
  /** Over a wire that cuts what is written into pieces of these sizes. */
  connectCut(sizes: readonly number[], onRequest: (exchange: ServerExchange) => void): Connected;
}

/** Both ends of a TCP connection. */
async function tcpPair(): Promise<readonly [Duplex, Duplex]> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const near = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [
    [Duplex],
    unknown,
  ];
  server.close();
  return [near, far];
}

function connected(client: ClientConnection, [near, far]: readonly [Duplex, Duplex]): Connected {
  const cut = (): void => {
    far.destroy();
    near.destroy();
  };
  onTestFinished(cut);
  for (const end of [near, far]) end.on('error', () => undefined);
  return { client, cut: () => void far.destroy() };
}

function versionOf(
  facts: Pick<Version, 'name' | 'isMultiplexed'>,
  startClient: (stream: Duplex) => ClientConnection,
  startServer: (stream: Duplex, onRequest: (exchange: ServerExchange) => void) => void,
): Version {
  const join = (
    ends: readonly [Duplex, Duplex],
    onRequest: (exchange: ServerExchange) => void,
  ): Connected => {
    startServer(ends[1], onRequest);
    return connected(startClient(ends[0]), ends);
  };
  return {
    ...facts,
    connect: async (onRequest) => join(await tcpPair(), onRequest),
    connectCut: (sizes, onRequest) => join(cutPair(sizes), onRequest),
  };
}

const ignore = (): void => undefined;

export const VERSIONS: readonly Version[] = [
  versionOf(
    { name: 'HTTP/1.1', isMultiplexed: false },
    (stream) => new Http1ClientConnection(stream),
    (stream, onRequest) => {
      new Http1ServerConnection(stream, {
        onRequest,
        onProblem: ignore,
        onClose: ignore,
        proxiesContinue: true,
      });
    },
  ),
  versionOf(
    { name: 'HTTP/2', isMultiplexed: true },
    (stream) =>
      new Http2Connection(stream, {
        role: 'client',
        limits: { ...LIMITS, maxConcurrentStreams: null },
        onReady: ignore,
        onClose: ignore,
      }),
    (stream, onRequest) => {
      new Http2Connection(stream, {
        role: 'server',
        limits: { ...LIMITS, maxConcurrentStreams: 200 },
        onRequest,
        onClose: ignore,
      });
    },
  ),
];

/** What was told of one half, in order: `head 200`, `interim 103`, `data`, `trailers a=b`, `end`, `close`, `failed`. */
export class Heard {
  readonly events: string[] = [];
  readonly over: Promise<HttpError | null>;
  readonly #settle: (error: HttpError | null) => void;
  readonly #pieces: Buffer[] = [];

  constructor() {
    const over = Promise.withResolvers<HttpError | null>();
    this.over = over.promise;
    this.#settle = over.resolve;
  }

  get body(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  has(event: string): boolean {
    return this.events.includes(event);
  }

  note(event: string): void {
    // What is told piece by piece is one thing here.
    if (event !== 'data' || this.events.at(-1) !== 'data') this.events.push(event);
  }

  /** Takes the body of an exchange; `pauses` stops it at the first piece. */
  receive(exchange: Exchange, options: { pauses?: boolean; onDrain?: () => void } = {}): void {
    const { pauses = false, onDrain = ignore } = options;
    const listener = this.#listener(onDrain);
    if (!pauses) {
      exchange.receive(listener);
      return;
    }
    exchange.receive({
      ...listener,
      onData: (chunk) => {
        if (this.#pieces.length === 0) exchange.pause();
        listener.onData(chunk);
      },
    });
  }

  failed(error: HttpError): void {
    this.note('failed');
    this.#settle(error);
  }

  #listener(onDrain: () => void) {
    return {
      onData: (chunk: Buffer) => {
        this.#pieces.push(Buffer.from(chunk));
        this.note('data');
      },
      onTrailers: (trailers: HeaderList) => this.note(`trailers ${trailers.join('=')}`),
      onEnd: () => this.note('end'),
      onDrain,
      onClose: (error: HttpError | null) => {
        this.note(error === null ? 'close' : `close ${error.kind}`);
        this.#settle(error);
      },
    };
  }
}

const GET = { method: 'GET', scheme: 'http', authority: 'a.test', path: '/p?q' } as const;

interface Asked {
  readonly exchange: Exchange;
  readonly heard: Heard;
  /** The head of the final answer, once there is one. */
  readonly head: Promise<AnswerHead>;
}

interface AskOptions {
  /** Default: `/p?q`. */
  readonly path?: string;
  readonly headers?: HeaderList;
  readonly method?: 'GET' | 'POST' | 'HEAD';
  /** Default: 0 for GET and HEAD, null for POST. */
  readonly body?: BodyLength;
  /** Leaves the answer's body where it is, for the test to take. */
  readonly leaves?: boolean;
  readonly onDrain?: () => void;
}

/** Sends a request and takes its answer. */
export function ask(client: ClientConnection, options: AskOptions = {}): Asked {
  const { method = 'GET', path = GET.path, headers = [] } = options;
  const { leaves = false, onDrain = ignore } = options;
  const { body = method === 'POST' ? null : 0 } = options;
  const heard = new Heard();
  const head = Promise.withResolvers<AnswerHead>();
  const exchange = client.request({ ...GET, method, path, headers }, body, {
    isUpgrade: false,
    listener: {
      onInterim: ({ status }) => heard.note(`interim ${status}`),
      onHead: (answer) => {
        heard.note(`head ${answer.status}`);
        head.resolve(answer);
        if (!leaves) heard.receive(exchange, { onDrain });
      },
      onDrain,
      onFailure: (error) => heard.failed(error),
    },
  });
  return { exchange, heard, head: head.promise };
}

/** Writes all of it, as fast as the other end reads, and then ends. */
export function sendAll(exchange: Exchange, bytes: Buffer, trailers?: HeaderList): () => void {
  let at = 0;
  const goOn = (): void => {
    while (at < bytes.length) {
      const piece = bytes.subarray(at, at + 10_000);
      at += piece.length;
      if (!exchange.write(piece) && at < bytes.length) return;
    }
    if (at <= bytes.length) exchange.end(trailers);
    at = bytes.length + 1;
  };
  goOn();
  return goOn;
}
