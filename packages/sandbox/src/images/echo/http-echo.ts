import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { patternStream } from './pattern.ts';

/** Who answers; every answer says it. */
export interface EchoIdentity {
  readonly pod: string;
  readonly namespace: string;
  readonly node: string;
  readonly serviceAccount: string;
  readonly version: string;
}

interface Exchange {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly httpVersion: string;
  readonly socket: Partial<Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress'>>;
  readonly body: Readable;
  readonly respond: (status: number, headers: Record<string, string>) => Writable;
}

const DRIP_PIECES = 5;
const DRIP_INTERVAL_MS = 100;
/** UNAVAILABLE: the client may try elsewhere. */
const SERVER_ENDS = { 'grpc-status': '14', 'grpc-message': 'the server ends' } as const;
/** Keys of `failOnce` that are remembered; the oldest is forgotten first. */
const MAX_FAILED_KEYS = 10_000;

/**
 * Answers every request with a JSON of what arrived and who answers. The query controls the answer:
 * `status=503`, `delay=100ms` (or a number of milliseconds), `size=1000` (a body of so many bytes instead of the
 * JSON), `failOnce=key` (503 the first time the key is seen). `/upload` adds the body's SHA-256; `/drip` sends its
 * answer in five pieces, 100 ms apart. A gRPC request of any method is answered with its own message.
 */
export class HttpEcho {
  readonly #identity: EchoIdentity;
  readonly #failedKeys = new Set<string>();
  readonly #calls = new Set<ServerHttp2Stream>();
  #isEnding = false;
  #failuresLeft: number;

  constructor(identity: EchoIdentity, failFirst: number) {
    this.#identity = identity;
    this.#failuresLeft = failFirst;
  }

  /** From now on each answer of HTTP/1.1 is the last one on its connection. */
  announceEnd(): void {
    this.#isEnding = true;
  }

  /** Ends gRPC calls that are open, in their words, behind what they have echoed. */
  endCalls(): void {
    for (const stream of this.#calls) {
      stream.unpipe(stream);
      stream.end();
    }
  }

  serve(request: IncomingMessage, response: ServerResponse): void {
    void this.#answer({
      method: request.method ?? '',
      url: parseUrl(request.url ?? '/'),
      headers: request.headers,
      httpVersion: request.httpVersion,
      socket: request.socket,
      body: request,
      respond: (status, headers) =>
        response.writeHead(status, this.#isEnding ? { ...headers, connection: 'close' } : headers),
    }).catch(() => response.destroy());
  }

  serveStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on('error', () => undefined);
    if (String(headers['content-type']).startsWith('application/grpc')) {
      this.#echoGrpc(stream);
      return;
    }
    void this.#answer({
      method: String(headers[':method']),
      url: parseUrl(String(headers[':path'])),
      headers,
      httpVersion: '2.0',
      socket: stream.session?.socket ?? {},
      body: stream,
      respond: (status, answerHeaders) => {
        stream.respond({ ':status': status, ...answerHeaders });
        return stream;
      },
    }).catch(() => stream.destroy());
  }

  /** The request's frames are the response's: an echo needs no knowledge of the messages, nor of how many there are. */
  #echoGrpc(stream: ServerHttp2Stream): void {
    let hasRequestEnded = false;
    this.#calls.add(stream);
    stream.once('close', () => this.#calls.delete(stream));
    stream.once('end', () => {
      hasRequestEnded = true;
    });
    const head = { ':status': 200, 'content-type': 'application/grpc' };
    stream.respond(head, { waitForTrailers: true });
    stream.on('wantTrailers', () => {
      stream.sendTrailers(hasRequestEnded ? { 'grpc-status': '0' } : SERVER_ENDS);
    });
    stream.pipe(stream);
  }

  async #answer(exchange: Exchange): Promise<void> {
    const { url, body } = exchange;
    const { bodyBytes, sha256 } = await digest(body);
    const delayMs = Number.parseInt(url.searchParams.get('delay') ?? '0', 10);
    if (delayMs > 0) await sleep(delayMs);
    const status = this.#status(url.searchParams);
    const size = url.searchParams.get('size');
    if (size !== null) {
      const target = exchange.respond(status, {
        'content-type': 'application/octet-stream',
        'content-length': size,
      });
      return pipeline(patternStream(Number(size)), target);
    }
    const answer = JSON.stringify({
      ...this.#identity,
      method: exchange.method,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: exchange.headers,
      httpVersion: exchange.httpVersion,
      remoteAddress: exchange.socket.remoteAddress?.replace(/^::ffff:/, ''),
      remotePort: exchange.socket.remotePort,
      localAddress: exchange.socket.localAddress?.replace(/^::ffff:/, ''),
      bodyBytes,
      ...(url.pathname === '/upload' ? { sha256 } : {}),
    });
    const text = Buffer.from(`${answer}\n`);
    const isDrip = url.pathname === '/drip';
    const target = exchange.respond(status, {
      'content-type': 'application/json',
      ...(isDrip ? {} : { 'content-length': String(text.length) }),
    });
    if (isDrip) await drip(text, target);
    else target.end(exchange.method === 'HEAD' ? undefined : text);
  }

  #status(query: URLSearchParams): number {
    if (this.#failuresLeft > 0) {
      this.#failuresLeft--;
      return 503;
    }
    const key = query.get('failOnce');
    if (key !== null && !this.#failedKeys.has(key)) {
      const [oldest] = this.#failedKeys;
      if (this.#failedKeys.size >= MAX_FAILED_KEYS && oldest !== undefined) {
        this.#failedKeys.delete(oldest);
      }
      this.#failedKeys.add(key);
      return 503;
    }
    const status = Number(query.get('status') ?? 200);
    return status >= 200 && status <= 599 ? status : 400;
  }
}

function parseUrl(path: string): URL {
  return URL.parse(path, 'http://echo') ?? new URL('http://echo/');
}

async function digest(body: Readable): Promise<{ bodyBytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bodyBytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bodyBytes += chunk.length;
    hash.update(chunk);
  }
  return { bodyBytes, sha256: hash.digest('hex') };
}

async function drip(text: Buffer, target: Writable): Promise<void> {
  const step = Math.ceil(text.length / DRIP_PIECES);
  for (let offset = 0; offset < text.length; offset += step) {
    target.write(text.subarray(offset, offset + step));
    await sleep(DRIP_INTERVAL_MS);
  }
  target.end();
}
