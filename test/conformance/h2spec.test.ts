import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { dirname } from 'node:path';
import { Http2Connection, type ServerExchange } from '@aquifer/http';
import { expect, onTestFinished, test } from 'vitest';
import { buildGoProgram, hasGo } from '../fixtures/go-program.ts';

const LIMITS = {
  streamWindowBytes: 65_535,
  maxStreamWindowBytes: 1_048_576,
  windowGrowthBytes: 4_194_304,
  connectionWindowBytes: 1_048_576,
  maxFrameBytes: 16_384,
  maxHeaderListBytes: 65_536,
  maxConcurrentStreams: 100,
} as const;

/** Answers when the request has ended, as the suite expects of a server. */
function answer(exchange: ServerExchange): void {
  const respond = (): void => {
    exchange.respond({ status: 200, headers: [] }, null);
    exchange.write(Buffer.from('some bytes that a small window holds up'));
    exchange.end();
  };
  exchange.receive({
    onData: () => undefined,
    onTrailers: respond,
    onEnd: respond,
    onDrain: () => undefined,
    onClose: () => undefined,
  });
}

test.skipIf(!hasGo)(
  'our HTTP/2 server passes h2spec in full (skipped without Go)',
  async () => {
    const program = buildGoProgram('h2spec');
    onTestFinished(() => rmSync(dirname(program), { recursive: true }));
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      new Http2Connection(socket, {
        role: 'server',
        limits: LIMITS,
        onRequest: answer,
        onClose: () => undefined,
      });
    });
    server.listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const args = ['--strict', '-h', '127.0.0.1', '-p', String(port), '--timeout', '10'];
    const report = await new Promise<string>((resolve) => {
      execFile(program, args, { maxBuffer: 16 * 1024 * 1024 }, (_, stdout) => resolve(stdout));
    });
    expect(report.split('Failures:').at(-1)).toContain(
      '146 tests, 146 passed, 0 skipped, 0 failed',
    );
  },
  120_000,
);
