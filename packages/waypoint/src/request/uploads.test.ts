import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  httpBootstrap,
  type StaticProxy,
  startStaticProxy,
} from '../../../../test/fixtures/static-proxy.ts';
import { runs } from '../../../../test/fuzz/runs.ts';

/** What a host stores of an upload that was answered 200 is what was sent, whatever hosts and clients do meanwhile. */

const MIB = 1024 * 1024;
const ANSWER_TIMEOUT_MS = 15_000;
/** Every body is a piece of it, each another one. */
const BYTES = randomBytes(4 * MIB);

/** What the origin does with an attempt, once so many bytes of it have come. */
interface Fault {
  readonly kind: '503' | '503-and-close' | 'close' | 'reset';
  readonly afterBytes: number;
}

interface Upload {
  readonly method: 'PUT' | 'POST';
  readonly route: 'default' | 'by-code' | 'by-reset' | 'never';
  readonly isChunked: boolean;
  readonly bytes: number;
  /** Where the client pauses. */
  readonly pauses: readonly { readonly at: number; readonly ms: number }[];
  /** For each attempt; those after them are taken whole. */
  readonly faults: readonly Fault[];
}

let proxy: StaticProxy;
let origin: Server;
let count = 0;
const faults = new Map<string, Fault[]>();
const stored = new Map<string, Buffer[]>();

function onRequest(call: IncomingMessage, response: ServerResponse): void {
  const id = String(call.headers['x-upload']);
  const fault = faults.get(id)?.shift();
  const chunks: Buffer[] = [];
  let received = 0;
  stored.get(id)?.push(Buffer.alloc(0));
  call.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    received += chunk.length;
    if (fault !== undefined && received >= fault.afterBytes) fail(fault, call, response);
  });
  call.on('error', () => undefined);
  call.on('end', () => {
    stored.get(id)?.splice(-1, 1, Buffer.concat(chunks));
    if (fault !== undefined) fail(fault, call, response);
    else if (!response.headersSent) response.end('stored');
  });
  if (fault?.afterBytes === 0) fail(fault, call, response);
}

function fail({ kind }: Fault, call: IncomingMessage, response: ServerResponse): void {
  if (response.headersSent) return;
  if (kind === 'close') call.socket.destroy();
  else if (kind === 'reset') call.socket.resetAndDestroy();
  else {
    if (kind === '503-and-close') response.setHeader('connection', 'close');
    response.writeHead(503).end('failing');
  }
}

const route = (prefix: string, policy: object | null) => ({
  match: { prefix },
  route: { cluster: 'origin', timeout: '0s', ...(policy !== null && { retry_policy: policy }) },
});

/** What the control plane sends where nobody asks for anything, and what it makes of `codes: [503]`. */
const DEFAULT_POLICY = {
  retry_on: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes',
  num_retries: 2,
};
const BY_CODE = {
  retry_on: 'connect-failure,refused-stream,unavailable,cancelled,reset,retriable-status-codes',
  retriable_status_codes: [503],
  num_retries: 3,
  retry_back_off: { base_interval: '0.02s' },
};

beforeAll(async () => {
  origin = createServer(onRequest).listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const originPort = (origin.address() as AddressInfo).port;
  const routes = [
    route('/default', DEFAULT_POLICY),
    route('/by-code', BY_CODE),
    route('/by-reset', { retry_on: 'reset', num_retries: 3 }),
    route('/never', null),
  ];
  proxy = await startStaticProxy('waypoint', (port) =>
    httpBootstrap({ origin: originPort }, [{ port, routes }]),
  );
}, 40_000);

afterAll(async () => {
  await proxy.stop();
  origin.closeAllConnections();
  origin.close();
});

interface Answer {
  /** Null when the connection ended instead. */
  readonly status: number | 'none in time' | null;
  readonly sent: Buffer;
  readonly attempts: readonly Buffer[];
}

async function send(upload: Upload): Promise<Answer> {
  const id = `upload-${++count}`;
  const start = (count * 4099) % MIB;
  const sent = BYTES.subarray(start, start + upload.bytes);
  const attempts: Buffer[] = [];
  faults.set(id, [...upload.faults]);
  stored.set(id, attempts);
  const { isChunked, bytes } = upload;
  const framing = isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': bytes };
  const call = request({
    port: proxy.port,
    host: '127.0.0.1',
    path: `/${upload.route}`,
    method: upload.method,
    agent: false,
    headers: { 'x-upload': id, ...framing },
  });
  const answered = new Promise<Answer['status']>((resolve) => {
    call.setTimeout(ANSWER_TIMEOUT_MS, () => resolve('none in time'));
    call.once('error', () => resolve(null));
    call.once('response', (response) => {
      const status = response.statusCode ?? null;
      text(response).then(
        () => resolve(status),
        () => resolve(null),
      );
    });
  });
  let from = 0;
  for (const { at, ms } of upload.pauses.toSorted((a, b) => a.at - b.at)) {
    const to = Math.floor(at * bytes);
    if (to > from) call.write(sent.subarray(from, to));
    from = to;
    await delay(ms);
  }
  call.end(sent.subarray(from));
  const status = await answered;
  call.destroy();
  faults.delete(id);
  stored.delete(id);
  return { status, sent, attempts };
}

/** Compares without printing megabytes. */
function describeStored({ sent, attempts }: Answer): string {
  const last = attempts.at(-1) ?? Buffer.alloc(0);
  if (last.equals(sent)) return 'all of it';
  return `${last.length} of ${sent.length} bytes${sent.subarray(0, last.length).equals(last) ? '' : ', not as sent'}`;
}

const uploads = fc.record({
  method: fc.constantFrom('PUT' as const, 'POST' as const),
  route: fc.constantFrom(
    'default' as const,
    'by-code' as const,
    'by-reset' as const,
    'never' as const,
  ),
  isChunked: fc.boolean(),
  bytes: fc.oneof(
    fc.constantFrom(0, 1, 4096, 4097, 65_536, 200_000),
    fc.integer({ min: MIB - 2, max: MIB + 2 }),
    fc.constantFrom(MIB - 70_000, MIB + 140_000, 2 * MIB, 3 * MIB),
  ),
  pauses: fc.array(
    fc.record({
      at: fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100),
      ms: fc.integer({ min: 0, max: 15 }),
    }),
    {
      maxLength: 6,
    },
  ),
  faults: fc.array(
    fc.record({
      kind: fc.constantFrom(
        '503' as const,
        '503-and-close' as const,
        'close' as const,
        'reset' as const,
      ),
      afterBytes: fc.constantFrom(0, 0, 1, 10_000, 500_000, MIB, 1_500_000),
    }),
    { maxLength: 3 },
  ),
});

test('an upload that is answered 200 is stored as it was sent, whatever hosts do to attempts', async () => {
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(uploads, { minLength: 4, maxLength: 8 }), async (together) => {
      for (const [i, answer] of (await Promise.all(together.map(send))).entries()) {
        expect(answer.status).not.toBe('none in time');
        if (answer.status !== 200) continue;
        answered += 1;
        expect({ ...together[i], stored: describeStored(answer) }).toEqual({
          ...together[i],
          stored: 'all of it',
        });
      }
    }),
    { ...runs(60, 20_261_129), endOnFailure: true },
  );
  expect(answered).toBeGreaterThan(100);
}, 60_000);

/** A host that closes kept connections as they are used again: the commonest fault of all. */
test('a repeatable upload whose kept connection closes under it is sent again, from its first byte', async () => {
  const gone = { kind: 'close', afterBytes: 1 } as const;
  const plain = { method: 'PUT', route: 'default', pauses: [], faults: [] } as const;
  let repeated = 0;
  for (const isChunked of [true, false]) {
    for (const [bytes, first] of [
      [10, 0.5],
      [900_000, 0.5],
      ...Array.from({ length: 10 }, () => [3 * MIB, 0.01] as const),
    ] as const) {
      // So that there is a connection to be used again.
      await send({ ...plain, isChunked, bytes: 10 });
      const upload = { ...plain, isChunked, bytes, pauses: [{ at: first, ms: 5 }], faults: [gone] };
      const again = await send(upload);
      expect(again.status).not.toBe('none in time');
      if (again.status === 200) {
        repeated += 1;
        expect({ ...upload, stored: describeStored(again) }).toEqual({
          ...upload,
          stored: 'all of it',
        });
      }
    }
  }
  // What fits the buffer always is; a larger one if not too much of it had been passed on.
  expect(repeated).toBeGreaterThanOrEqual(4);
}, 60_000);
