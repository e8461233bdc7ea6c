import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import { bootstrap } from './l7-envoy-bootstrap.ts';

/** The same configuration and the same requests to a real Envoy and to our L7 engine: the answers must be the same. */
const ENVOY = [
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'aquifer', 'venv', 'bin', 'envoy'),
  '/usr/bin/envoy',
].find(existsSync);

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What the origin saw, for requests that reached it. */
  readonly upstream: readonly string[];
}

let directory: string;
let origin: Server;
let originPort: number;
const seen: string[] = [];
const failures = new Map<string, number>();
const proxies: ChildProcess[] = [];
const ports: Record<'envoy' | 'ours', number> = { envoy: 0, ours: 0 };

function answerOrigin(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://origin');
  void text(request).then((body) => {
    seen.push(describeUpstream(request, body));
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
  });
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

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

async function start(name: 'envoy' | 'ours', closedPort: number): Promise<void> {
  ports[name] = await freePort();
  const file = join(directory, `${name}.json`);
  writeFileSync(
    file,
    JSON.stringify(bootstrap({ listen: ports[name], origin: originPort, closed: closedPort })),
  );
  const waypoint = join(import.meta.dirname, '..', '..', 'packages', 'waypoint', 'src', 'main.ts');
  const command =
    name === 'envoy'
      ? [ENVOY ?? '', '-c', file, '--use-dynamic-base-id', '--concurrency', '1', '-l', 'error']
      : [process.execPath, waypoint];
  const child = spawn(command[0]!, command.slice(1), {
    env: { ...process.env, WAYPOINT_BOOTSTRAP: file, LOG_LEVEL: 'error' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  proxies.push(child);
  await eventually(
    () =>
      raw(ports[name], 'GET /direct HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n').then((a) =>
        a.includes('418'),
      ),
    {
      timeoutMs: 20_000,
      what: `${name} on port ${ports[name]}`,
    },
  );
}

function raw(port: number, bytes: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.write(bytes, 'latin1');
  // Envoy waits a second before it closes, unless the client ends its side; an earlier end it takes for an abort.
  socket.once('data', () => setTimeout(() => socket.end(), 20));
  return text(socket);
}

async function ask(name: 'envoy' | 'ours', request: string): Promise<Answer> {
  seen.length = 0;
  failures.clear();
  const answer = await raw(ports[name], request);
  const [head = '', ...rest] = answer.split('\r\n\r\n');
  const [startLine = '', ...lines] = head.split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [key = '', ...value] = line.split(': ');
    headers[key.toLowerCase()] = value.join(': ');
  }
  return {
    status: Number(startLine.split(' ')[1] ?? 0),
    body: readBody(headers, rest.join('\r\n\r\n')),
    headers,
    upstream: [...seen],
  };
}

function readBody(headers: Readonly<Record<string, string>>, payload: string): string {
  if (headers['transfer-encoding'] !== 'chunked') return payload;
  return payload.replace(/(?:^|\r\n)[0-9a-f]+\r\n/g, '').replace(/\r\n$/, '');
}

function comparable({ status, body, headers, upstream }: Answer) {
  const {
    location,
    server,
    'x-added': added,
    'x-origin': fromOrigin,
    'content-type': type,
  } = headers;
  return {
    status,
    body,
    headers: {
      location,
      server,
      added,
      fromOrigin,
      type: fromOrigin === undefined ? type : undefined,
    },
    upstream,
  };
}

const get = (target: string, ...headers: string[]) =>
  `GET ${target} HTTP/1.1\r\n${['Host: shop.test', ...headers, 'Connection: close'].join('\r\n')}\r\n\r\n`;

const post = (target: string, body: string, ...headers: string[]) =>
  `POST ${target} HTTP/1.1\r\n${['Host: shop.test', `Content-Length: ${body.length}`, ...headers, 'Connection: close'].join('\r\n')}\r\n\r\n${body}`;

const REQUESTS: readonly (readonly [what: string, request: string])[] = [
  ['a plain request', get('/')],
  ['a query', get('/items?a=b&c=d')],
  ['a body', post('/items', 'hello')],
  [
    'a chunked body',
    'POST /items HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  ],
  ['hop-by-hop headers', get('/', 'Keep-Alive: 5', 'Proxy-Connection: x', 'TE: gzip', 'X-Kept: 1')],
  ['a repeated header', get('/', 'X-Many: 1', 'X-Many: 2')],
  ['an exact path', get('/exact')],
  ['an exact path with more behind it', get('/exact/more')],
  ['a prefix of whole segments', get('/api/v1')],
  ['a prefix within a segment', get('/apiary')],
  ['a regular expression', get('/item/42')],
  ['a path the expression does not match whole', get('/item/42x')],
  ['a header match', get('/by-header', 'X-Version: v2')],
  ['a header match without the header', get('/by-header')],
  ['a query match', get('/by-query?version=v2')],
  ['a query match without it', get('/by-query?version=v1')],
  ['a method match', post('/by-method', 'x')],
  ['another method', get('/by-method')],
  ['a redirect', get('/moved?x=1')],
  ['a redirect to another host', get('/elsewhere')],
  ['a rewritten prefix', get('/old/path?x=1')],
  ['a rewritten host', get('/other-host')],
  ['headers added and removed', get('/headers', 'X-Drop: 1', 'X-Set: mine')],
  ['a route without cluster', get('/nowhere')],
  ['no route at all', 'GET / HTTP/1.1\r\nHost: unknown.test\r\nConnection: close\r\n\r\n'],
  ['a denied path', get('/admin/users')],
  ['a denied method', 'DELETE /items HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n'],
  ['a denied path behind dot segments', get('/items/../admin/users')],
  ['a denied path in percent code', get('/%61dmin/users')],
  ['a denied header value', get('/', 'X-Tenant: evil')],
  ['a 503 that the route retries', get('/retry?fail=a')],
  ['a 503 with a body that the route retries', post('/retry?fail=a', 'again')],
  ['a 503 that stays', get('/retry?fail=a&times=9')],
  ['a 500 that the route does not retry', get('/retry?fail=a&status=500')],
  ['a 503 on a route without its code', get('/?fail=a')],
  ['a reset that the route retries', get('/retry-reset?fail=a&reset')],
  ['a reset that it does not', get('/?fail=a&reset')],
  ['a refused connection', get('/closed')],
  ['a slow answer', get('/slow?delay=700')],
  ['a per-try timeout', get('/slow-try?delay=700')],
  [
    'an absolute target',
    'GET http://shop.test/exact HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n',
  ],
  ['a HEAD request', 'HEAD / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n'],
];

const BROKEN: readonly (readonly [what: string, request: string])[] = [
  ['no Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n'],
  [
    'both length and chunked',
    'POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  [
    'differing lengths',
    'POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd',
  ],
  ['a signed length', 'POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: +3\r\n\r\nabc'],
  ['a blank before the colon', 'GET / HTTP/1.1\r\nHost : shop.test\r\n\r\n'],
  ['a NUL in a value', 'GET / HTTP/1.1\r\nHost: shop.test\r\nX: a\0b\r\n\r\n'],
  ['a control character in the target', 'GET /\x01 HTTP/1.1\r\nHost: shop.test\r\n\r\n'],
  ['HTTP/1.0', 'GET / HTTP/1.0\r\nHost: shop.test\r\n\r\n'],
  ['no HTTP at all', 'nonsense\r\n\r\n'],
];

describe.skipIf(ENVOY === undefined)(
  'given the same configuration, Envoy and the waypoint (skipped where envoy is not installed)',
  () => {
    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'aquifer-l7-'));
      origin = createServer(answerOrigin).listen(0, '127.0.0.1');
      await once(origin, 'listening');
      originPort = (origin.address() as AddressInfo).port;
      const closedPort = await freePort();
      await Promise.all([start('envoy', closedPort), start('ours', closedPort)]);
    }, 40_000);

    afterAll(async () => {
      await Promise.all(
        proxies.map(async (child) => {
          child.kill('SIGKILL');
          if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
        }),
      );
      origin.close();
      origin.closeAllConnections();
      rmSync(directory, { recursive: true, force: true });
    });

    test.for(REQUESTS)('answer the same to %s', async ([, request]) => {
      const envoy = comparable(await ask('envoy', request));
      expect(comparable(await ask('ours', request))).toEqual(envoy);
    });

    test.for(BROKEN)('refuse with the same status: %s', async ([, request]) => {
      const envoy = await ask('envoy', request);
      const ours = await ask('ours', request);
      expect(envoy.status).toBeGreaterThanOrEqual(400);
      expect({ status: ours.status, upstream: ours.upstream }).toEqual({
        status: envoy.status,
        upstream: [],
      });
    });
  },
);
