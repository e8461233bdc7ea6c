import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import { ENVOY, freePort, type StaticProxy, startStaticProxy } from '../fixtures/static-proxy.ts';
import { bootstrap } from './l7-envoy-bootstrap.ts';
import { BROKEN, REQUESTS } from './l7-envoy-cases.ts';

/** The same configuration and the same requests to a real Envoy and to our L7 engine: the answers must be the same. */
/** The same configuration and the same requests to a real Envoy and to our L7 engine: the answers must be the same. */

interface Answer {
  /** Heads with their headers sorted; what differs from run to run is not told. */
  readonly text: string;
  /** What the origin saw, for requests that reached it. */
  readonly upstream: readonly string[];
  readonly log: string;
}

let origin: Server;
const seen: string[] = [];
const failures = new Map<string, number>();
let proxies: Readonly<Record<'envoy' | 'ours', StaticProxy>>;

function answerOrigin(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://origin');
  const onBody = (body: string): void => {
    seen.push(describeUpstream(request, body));
    const lines = request.headers['x-answer'];
    if (lines !== undefined) {
      request.socket.end(`${String(lines).replaceAll('|', '\r\n')}\r\n\r\n`);
      return;
    }
    const key = url.searchParams.get('fail');
    const times = Number(url.searchParams.get('times') ?? 1);
    const failed = key === null ? times : (failures.get(key) ?? 0);
    if (key !== null) failures.set(key, failed + 1);
    if (key !== null && failed < times) {
      if (url.searchParams.has('reset')) request.socket.resetAndDestroy();
      else response.writeHead(Number(url.searchParams.get('status') ?? 503)).end('failing');
      return;
    }
    const delayMs = Number(url.searchParams.get('delay') ?? 0);
    setTimeout(
      () => response.writeHead(200, { 'x-origin': 'yes', server: 'origin' }).end(`ok ${body}`),
      delayMs,
    );
  };
  // A request that is cut needs no answer.
  text(request).then(onBody, () => undefined);
}

/** Method, target and headers that matter, sorted; what differs from run to run is left out. */
function describeUpstream(request: IncomingMessage, body: string): string {
  const ignored = /^(x-request-id|x-envoy-internal|connection|date|x-forwarded-for)$/;
  const headers: string[] = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i]!.toLowerCase();
    if (!ignored.test(name)) headers.push(`${name}: ${request.rawHeaders[i + 1]}`);
  }
  return [`${request.method} ${request.url}`, ...headers.toSorted(), body].join('\n');
}

function raw(port: number, bytes: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.write(bytes, 'latin1');
  // Envoy waits a second before it closes, unless the client ends its side; an earlier end it takes for an abort.
  socket.once('data', () => setTimeout(() => socket.end(), 50));
  return text(socket);
}

function linesOf(log: string): number {
  return log.split('\n').length - 1;
}

async function ask(name: 'envoy' | 'ours', request: string): Promise<Answer> {
  seen.length = 0;
  failures.clear();
  const { port, logFile } = proxies[name];
  const before = readFileSync(logFile, 'latin1').length;
  const answer = await raw(port, request);
  const readLog = () => readFileSync(logFile, 'latin1').slice(before);
  const answers = answer.match(/HTTP\/1\.1 [2-5]\d\d /g) ?? [];
  await eventually(() => linesOf(readLog()) >= answers.length, {
    what: 'the access lines',
  });
  return { text: comparable(answer), upstream: [...seen], log: readLog() };
}

function comparable(answer: string): string {
  const blocks = answer.split('\r\n\r\n').map((block) => {
    if (!block.startsWith('HTTP/1.1 ')) return block;
    const [startLine, ...headers] = block.split('\r\n');
    const shown = headers.map((header) =>
      header.replace(/^(date|x-envoy-upstream-service-time): .*/i, '$1'),
    );
    return [startLine, ...shown.toSorted()].join('\n');
  });
  return blocks.join('\n\n');
}

const statusOf = ({ text: answer }: Answer): number => Number(answer.split(' ')[1]);

describe.skipIf(ENVOY === undefined)(
  'given the same configuration, Envoy and the waypoint (skipped where envoy is not installed)',
  () => {
    beforeAll(async () => {
      origin = createServer(answerOrigin).listen(0, '127.0.0.1');
      await once(origin, 'listening');
      const { port: originPort } = origin.address() as AddressInfo;
      const closedPort = await freePort();
      const start = (name: 'envoy' | 'waypoint') =>
        startStaticProxy(name, (listen) =>
          bootstrap({ listen, origin: originPort, closed: closedPort }),
        );
      const [envoy, ours] = await Promise.all([start('envoy'), start('waypoint')]);
      proxies = { envoy, ours };
    }, 40_000);

    afterAll(async () => {
      await Promise.all(Object.values(proxies).map((proxy) => proxy.stop()));
      origin.close();
      origin.closeAllConnections();
    });

    test.for(REQUESTS)('answer the same to %s', async ([, request]) => {
      const envoy = await ask('envoy', request);
      expect(await ask('ours', request)).toEqual(envoy);
    });

    test.for(BROKEN)('refuse in the same words: %s', async ([, request]) => {
      const envoy = await ask('envoy', request);
      expect(await ask('ours', request)).toEqual(envoy);
      expect(envoy.upstream).toEqual([]);
      expect(statusOf(envoy)).toBeGreaterThanOrEqual(400);
    });
  },
);
