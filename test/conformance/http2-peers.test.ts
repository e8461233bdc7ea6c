import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Http2Connection, type ServerExchange } from '@aquifer/http';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import { ask } from './exchange.ts';

const run = promisify(execFile);
const ENV = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin` };
const hasNghttp2 = ['nghttp', 'h2load', 'nghttpd'].every(
  (program) => spawnSync(program, ['--version'], { env: ENV }).status === 0,
);
const LIMITS = {
  streamWindowBytes: 65_535,
  maxStreamWindowBytes: 1_048_576,
  windowGrowthBytes: 4_194_304,
  connectionWindowBytes: 1_048_576,
  maxFrameBytes: 16_384,
  maxHeaderListBytes: 65_536,
} as const;

let directory: string;
let bodyFile: string;
let port: number;
const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  new Http2Connection(socket, {
    role: 'server',
    limits: { ...LIMITS, maxConcurrentStreams: 100 },
    onRequest: echo,
    onClose: () => undefined,
  });
});

/** Says 103, sends the body back, and counts it in a trailer. */
function echo(exchange: ServerExchange): void {
  let bytes = 0;
  exchange.respondInterim({ status: 103, headers: ['link', '</style.css>'] });
  exchange.respond({ status: 200, headers: ['x-method', exchange.head.method] }, null);
  exchange.receive({
    onData: (chunk) => {
      bytes += chunk.length;
      if (!exchange.write(chunk)) exchange.pause();
    },
    onTrailers: (trailers) => exchange.end(['x-bytes', String(bytes), ...trailers]),
    onEnd: () => exchange.end(['x-bytes', String(bytes)]),
    onDrain: () => exchange.resume(),
    onClose: () => undefined,
  });
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'aquifer-http2-'));
  bodyFile = join(directory, 'body');
  writeFileSync(bodyFile, Buffer.alloc(3_000_000, 'some line or other\n'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.close();
  rmSync(directory, { recursive: true });
});

describe('curl against our server', () => {
  test('has its upload sent back whole, with a trailer behind it', async () => {
    const url = `http://127.0.0.1:${port}/a`;
    const answer = join(directory, 'curl');
    const args = ['-sS', '--http2-prior-knowledge', '-D', '-', '-o', answer, '-T', bodyFile, url];
    const { stdout } = await run('curl', args);
    expect(stdout).toMatch(
      /^HTTP\/2 103[\s\S]*HTTP\/2 200[\s\S]*x-method: PUT[\s\S]*x-bytes: 3000000/,
    );
    expect(spawnSync('cmp', [answer, bodyFile]).status).toBe(0);
  });
});

describe.skipIf(!hasNghttp2)("nghttp2's programs (skipped where they are not installed)", () => {
  test('nghttp has its upload and its trailer sent back', async () => {
    const args = ['-v', '-d', bodyFile, '--trailer', 'x-sum: 7', `http://127.0.0.1:${port}/a`];
    const { stdout } = await run('nghttp', args, { maxBuffer: 64 * 1024 * 1024, env: ENV });
    for (const line of [':status: 103', ':status: 200', 'x-bytes: 3000000', 'x-sum: 7']) {
      expect(stdout).toContain(line);
    }
  });

  test.for([
    { how: 'many small requests', args: ['-n', '20000', '-c', '4', '-m', '50'] },
    {
      how: 'with small windows',
      args: ['-n', '200', '-c', '2', '-m', '20', '-w', '10', '-W', '12'],
    },
  ])('h2load has all of them answered: $how', async ({ args }) => {
    const body = join(directory, 'small');
    writeFileSync(body, 'x'.repeat(20_000));
    const withBody = args.includes('-w') ? ['-d', body] : [];
    const url = `http://127.0.0.1:${port}/`;
    const { stdout } = await run('h2load', [...args, ...withBody, url], { env: ENV });
    expect(stdout).toMatch(/, 0 failed, 0 errored, 0 timeout/);
  });

  test('nghttpd answers our client, many at once, with a trailer', async () => {
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port: at } = free.address() as AddressInfo;
    free.close();
    const child = spawn(
      'nghttpd',
      ['--no-tls', '-d', directory, '--trailer', 'x-end: yes', '-a', '127.0.0.1', String(at)],
      { env: ENV, stdio: 'ignore' },
    );
    onTestFinished(() => void child.kill());
    const socket = await eventually(
      async () => {
        const attempt = connect(at, '127.0.0.1');
        await once(attempt, 'connect');
        return attempt;
      },
      { what: 'nghttpd' },
    );
    const ready = Promise.withResolvers<void>();
    const client = new Http2Connection(socket, {
      role: 'client',
      limits: { ...LIMITS, maxConcurrentStreams: null },
      onReady: ready.resolve,
      onClose: () => undefined,
    });
    onTestFinished(() => client.abort());
    await ready.promise;
    const asked = Array.from({ length: 50 }, () => ask(client, { path: '/body' }));
    for (const { heard } of asked) {
      expect(await heard.over).toBe(null);
      expect(heard.body.length).toBe(3_000_000);
      expect(heard.has('trailers x-end=yes')).toBe(true);
    }
  });
});
