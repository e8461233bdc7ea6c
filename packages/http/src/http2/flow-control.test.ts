import { duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runs } from '../../../../test/fuzz/runs.ts';
import type { Exchange, ServerExchange } from '../exchange.ts';
import { Http2Connection } from './connection.ts';
import { ConnectionWindow, StreamWindow } from './flow-control.ts';
import type { Http2Limits } from './settings.ts';

const KIB = 1024;
const LIMITS: Http2Limits = {
  streamWindowBytes: 64 * KIB,
  maxStreamWindowBytes: 1024 * KIB,
  windowGrowthBytes: 2048 * KIB,
  connectionWindowBytes: 1024 * KIB,
  maxFrameBytes: 64 * KIB,
  maxHeaderListBytes: 16 * KIB,
  maxConcurrentStreams: 200,
};

/** A client and a server whose exchanges nobody has received yet. */
function connectionPair() {
  const [near, far] = duplexPair();
  const served: ServerExchange[] = [];
  const server = new Http2Connection(far, {
    role: 'server',
    limits: LIMITS,
    onRequest: (exchange) => void served.push(exchange),
    onClose: () => undefined,
  });
  const client = new Http2Connection(near, {
    role: 'client',
    limits: { ...LIMITS, maxConcurrentStreams: null },
    onReady: () => undefined,
    onClose: () => undefined,
  });
  onTestFinished(() => {
    client.abort();
    server.abort();
  });
  const open = async (): Promise<readonly [Exchange, ServerExchange]> => {
    const head = { method: 'CONNECT', scheme: null, authority: 'a:1', path: '', headers: [] };
    const listener = { onHead: () => undefined, onFailure: () => undefined };
    const exchange = client.request(head, null, { listener, isUpgrade: false });
    while (served.length === 0) await turn();
    return [exchange, served.shift()!];
  };
  return { open };
}

/** Reads all that comes. */
function read(exchange: Exchange): { bytes: number } {
  const seen = { bytes: 0 };
  exchange.receive({
    onData: (chunk) => {
      seen.bytes += chunk.length;
    },
    onEnd: () => undefined,
    onDrain: () => undefined,
    onClose: () => undefined,
  });
  return seen;
}

describe('readers that stand still', () => {
  test.for([1, 4, 100])(
    '%i of them do not stall a neighbour on their connection',
    async (count) => {
      const { open } = connectionPair();
      for (let n = 0; n < count; n++) {
        const [stalled] = await open();
        // More than it may: the rest waits at the sender.
        stalled.write(Buffer.alloc(512 * KIB));
      }
      const [busy, there] = await open();
      const seen = read(there);
      const bytes = 4 * 1024 * KIB;
      busy.write(Buffer.alloc(bytes));
      await expect.poll(() => seen.bytes, { timeout: 10_000 }).toBe(bytes);
    },
  );

  test('that had been fast hold what they had grown to, and those that come later still flow', async () => {
    const { open } = connectionPair();
    for (let n = 0; n < 20; n++) {
      const [sender, receiver] = await open();
      const seen = read(receiver);
      sender.write(Buffer.alloc(2048 * KIB));
      await expect.poll(() => seen.bytes).toBe(2048 * KIB);
      receiver.pause();
      sender.write(Buffer.alloc(2048 * KIB));
      await turn();
    }
    const [busy, there] = await open();
    const seen = read(there);
    busy.write(Buffer.alloc(2048 * KIB));
    await expect.poll(() => seen.bytes, { timeout: 10_000 }).toBe(2048 * KIB);
  });
});

test('whatever is sent, read, opened and ended: what streams hold and may still be sent is within the bound', () => {
  const step = fc.record({
    stream: fc.nat(19),
    deed: fc.constantFrom('send', 'send', 'read', 'read', 'read', 'end'),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 2000 }), (steps) => {
      const connection = new ConnectionWindow(LIMITS, () => undefined);
      const streams = new Map<number, { window: StreamWindow; open: number; held: number }>();
      for (const { stream, deed, share } of steps) {
        let each = streams.get(stream);
        if (each === undefined) {
          const window = new StreamWindow(connection);
          each = { window, open: LIMITS.streamWindowBytes, held: 0 };
          streams.set(stream, each);
        }
        const send = Math.floor(share * each.open);
        const taken = Math.floor(share * each.held);
        if (deed === 'send') {
          expect(each.window.arrived(send)).toBe(true);
          each.open -= send;
          each.held += send;
        } else if (deed === 'read') {
          each.held -= taken;
          each.open += each.window.taken(taken, each.held);
        } else {
          each.window.close();
          streams.delete(stream);
        }
        let total = 0;
        for (const { open, held } of streams.values()) {
          expect(open + held).toBeLessThanOrEqual(LIMITS.maxStreamWindowBytes);
          total += open + held;
        }
        const most = streams.size * LIMITS.streamWindowBytes + LIMITS.windowGrowthBytes;
        expect(total).toBeLessThanOrEqual(most);
      }
    }),
    runs(100),
  );
});

test('streams whose readers keep up grow, share what there is, and leave a part to the next', () => {
  const connection = new ConnectionWindow(LIMITS, () => undefined);
  const start = () => ({ window: new StreamWindow(connection), open: LIMITS.streamWindowBytes });
  const useAll = (stream: ReturnType<typeof start>): void => {
    const bytes = stream.open;
    stream.window.arrived(bytes);
    stream.open = stream.window.taken(bytes, 0);
  };
  const alone = start();
  for (let n = 0; n < 10; n++) useAll(alone);
  expect(alone.open).toBe(LIMITS.maxStreamWindowBytes);
  const others = Array.from({ length: 31 }, start);
  for (let n = 0; n < 10; n++) for (const stream of [alone, ...others]) useAll(stream);
  const late = start();
  useAll(late);
  for (const { open } of [alone, ...others, late]) {
    expect(open).toBeGreaterThan(LIMITS.streamWindowBytes);
    expect(open).toBeLessThan(4 * LIMITS.streamWindowBytes);
  }
});

test('a window grows though frames are a little smaller than half of it, and the next has begun each time', () => {
  const connection = new ConnectionWindow(LIMITS, () => undefined);
  const window = new StreamWindow(connection);
  let open = LIMITS.streamWindowBytes;
  const frame = LIMITS.streamWindowBytes / 2 - 9;
  for (let n = 0; n < 40; n++) {
    expect(window.arrived(frame)).toBe(true);
    open -= frame;
    // As TLS hands it over, record by record, and read at once.
    for (let left = frame; left > 0; left -= 16 * KIB) {
      open += window.taken(Math.min(left, 16 * KIB), 0);
    }
  }
  expect(open).toBeGreaterThan(LIMITS.maxStreamWindowBytes / 2);
});
