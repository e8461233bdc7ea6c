import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildGoProgram, hasGo } from '../fixtures/go-program.ts';
import {
  httpBootstrap,
  SPEAKS_HTTP2,
  type StaticProxy,
  startStaticProxy,
} from '../fixtures/static-proxy.ts';

/** gRPC of another make through the waypoint: grpc-go at both ends, which credits and pings in its own way. */
const CALLS = 4_000;
/** The codes of gRPC. */
const CODES = { cancelled: 1, deadline: 4, 'not found': 5 };

interface Outcome {
  readonly ok: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly statuses: Readonly<Record<string, number>>;
}

describe.skipIf(!hasGo)('grpc-go through the waypoint', () => {
  let program: string;
  let server: ChildProcess;
  let proxy: StaticProxy;

  beforeAll(async () => {
    program = buildGoProgram('grpc-peer');
    server = spawn(program, ['server'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const [line] = (await once(server.stdout!, 'data')) as [Buffer];
    const origin = Number(line.toString());
    proxy = await startStaticProxy('waypoint', (listen) =>
      httpBootstrap({ origin: { port: origin, options: SPEAKS_HTTP2 } }, [
        {
          port: listen,
          routes: [
            // Deadlines are the client's own: were they the waypoint's too (`l7-grpc.test.ts`), either could be the first.
            { match: { prefix: '/shop.Cart/' }, route: { cluster: 'origin', timeout: '0s' } },
          ],
        },
      ]),
    );
  }, 240_000);

  afterAll(async () => {
    await proxy?.stop();
    server?.kill();
    if (program !== undefined) rmSync(dirname(program), { recursive: true });
  });

  async function ask(port: number, calls: number): Promise<Outcome> {
    const { stdout } = await promisify(execFile)(program, [
      'client',
      `127.0.0.1:${port}`,
      String(calls),
    ]);
    return JSON.parse(stdout) as Outcome;
  }

  test('every call comes back whole with its trailers; deadlines, cancellation and failures are told as they are', async () => {
    expect(await ask(proxy.port, CALLS)).toEqual({ ok: CALLS + 1, failures: {}, statuses: CODES });
  }, 120_000);
});
