import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import { bootstrap } from './l7-envoy-bootstrap.ts';
import { BROKEN, REQUESTS } from './l7-envoy-cases.ts';

/** The same configuration and the same requests to a real Envoy and to our L7 engine: the answers must be the same. */
const ENVOY = [
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'aquifer', 'venv', 'bin', 'envoy'),
  '/usr/bin/envoy',
].find(existsSync);

interface Answer {
  /** Heads with their headers sorted; what differs from run to run is not told. */
  readonly text: string;
  /** What the origin saw, for requests that reached it. */
  readonly upstream: readonly string[];
  readonly log: string;
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

const logOf = (name: string): string => join(directory, `${name}.log`);

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
      ? [
          ENVOY ?? '',
          '-c',
          file,
          '--use-dynamic-base-id',
          '--concurrency',
          '1',
          '-l',
          'error',
          '--file-flush-interval-msec',
          '10',
        ]
      : [process.execPath, waypoint];
  const child = spawn(command[0]!, command.slice(1), {
    env: { ...process.env, WAYPOINT_BOOTSTRAP: file, LOG_LEVEL: 'error' },
    // Access lines go to a file: Envoy cannot open a pipe that is its standard output.
    stdio: ['ignore', openSync(logOf(name), 'w'), 'inherit'],
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
  const isLogged = () => readFileSync(logOf(name), 'latin1').endsWith('\n');
  await eventually(isLogged, { timeoutMs: 2000, what: 'the line of that' });
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
  const before = readFileSync(logOf(name), 'latin1').length;
  const answer = await raw(ports[name], request);
  const readLog = () => readFileSync(logOf(name), 'latin1').slice(before);
  const answers = answer.match(/HTTP\/1\.1 [2-5]\d\d /g) ?? [];
  await eventually(() => linesOf(readLog()) >= answers.length, {
    timeoutMs: 2000,
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
