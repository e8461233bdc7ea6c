import { setImmediate as turn } from 'node:timers/promises';
import type { ServerExchange } from '@aquifer/http';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runs } from '../fuzz/runs.ts';
import { ask, Heard, sendAll, VERSIONS } from './exchange.ts';

const LARGE = Buffer.alloc(1_000_000, 'a line that is not a power of two long\n');

/** Answers 200 and sends back what comes. */
function echo(exchange: ServerExchange): void {
  exchange.respond({ status: 200, headers: [] }, null);
  exchange.receive({
    onData: (chunk) => {
      if (!exchange.write(chunk)) exchange.pause();
    },
    onBatch: () => exchange.flush(),
    onTrailers: (trailers) => exchange.end(trailers),
    onEnd: () => exchange.end(),
    onDrain: () => exchange.resume(),
    onClose: () => undefined,
  });
}

/** The next request of a connection, answered by the test. */
function nextRequest() {
  const { promise, resolve } = Promise.withResolvers<ServerExchange>();
  return { onRequest: resolve, request: promise };
}

function expectOneEnd({ events }: Heard): void {
  const ends = events.filter((event) => /^(close|failed)/.test(event));
  expect(ends.length).toBeLessThanOrEqual(1);
  if (ends.length > 0) expect(events.at(-1)).toBe(ends[0]);
}

describe.for(VERSIONS)('an exchange over $name', (version) => {
  test('brings the head of a request, whatever it asks, and that of its answer', async () => {
    const { onRequest, request } = nextRequest();
    const { client } = await version.connect(onRequest);
    const { head, heard } = ask(client, { headers: ['x-a', '1', 'x-b', ' v ', 'x-a', '2'] });
    const served = await request;
    expect(served.head).toMatchObject({ method: 'GET', authority: 'a.test', path: '/p?q' });
    expect(served.head.headers.join('|')).toContain('x-a|1');
    expect(served.head.headers).not.toContain('host');
    expect(served.body).toBe(0);
    served.respond({ status: 404, headers: ['x-c', 'd'] }, 0);
    served.end();
    expect((await head).status).toBe(404);
    expect((await head).headers).toContain('x-c');
    expect(await heard.over).toBe(null);
    expect(heard.events).toEqual(['head 404', 'end', 'close']);
  });

  test.for(
    [0, 1, 4095, 4097, 65_536, 1_000_000].flatMap((size) => [
      { size, isDeclared: true },
      { size, isDeclared: false },
    ]),
  )(
    'brings a body of $size bytes there and back, declared: $isDeclared',
    async ({ size, isDeclared }) => {
      const { client } = await version.connect(echo);
      const body = LARGE.subarray(0, size);
      const { exchange, heard } = ask(client, {
        method: 'POST',
        body: isDeclared ? size : null,
        onDrain: () => goOn(),
      });
      const goOn = sendAll(exchange, body);
      expect(await heard.over).toBe(null);
      expect(heard.body.equals(body)).toBe(true);
    },
  );

  test('tells trailers behind all data, in both directions, to readers that come late and pause', async () => {
    const { onRequest, request } = nextRequest();
    const { client } = await version.connect(onRequest);
    const asked = { method: 'POST', leaves: true, onDrain: () => goOn() } as const;
    const { exchange, heard } = ask(client, asked);
    const goOn = sendAll(exchange, LARGE, ['x-sum', '7']);
    const served = await request;
    const there = new Heard();
    await turn();
    there.receive(served, { pauses: true, onDrain: () => goOnBack() });
    await expect.poll(() => there.events).toEqual(['data']);
    await turn();
    expect(there.events).toEqual(['data']);
    served.resume();
    await expect.poll(() => there.events).toEqual(['data', 'trailers x-sum=7', 'end']);
    expect(there.body.equals(LARGE)).toBe(true);
    served.respond({ status: 200, headers: [] }, null);
    const goOnBack = sendAll(served, LARGE, ['grpc-status', '0']);
    await expect.poll(() => heard.has('head 200')).toBe(true);
    await turn();
    heard.receive(exchange, { pauses: true });
    await expect.poll(() => heard.events).toEqual(['head 200', 'data']);
    await turn();
    exchange.resume();
    expect([await heard.over, await there.over]).toEqual([null, null]);
    expect(heard.events).toEqual(['head 200', 'data', 'trailers grpc-status=0', 'end', 'close']);
    expect(heard.body.equals(LARGE)).toBe(true);
  });

  test('shows interim heads to who waits for the answer', async () => {
    const { client } = await version.connect((exchange) => {
      exchange.respondInterim({ status: 103, headers: ['link', '</a>'] });
      exchange.respondInterim({ status: 100, headers: [] });
      echo(exchange);
    });
    const { exchange, heard } = ask(client, { method: 'POST' });
    sendAll(exchange, Buffer.from('x'));
    await heard.over;
    expect(heard.events).toEqual([
      'interim 103',
      'interim 100',
      'head 200',
      'data',
      'end',
      'close',
    ]);
  });

  test('has no body behind an answer to HEAD, however long it says it is', async () => {
    const { client } = await version.connect((exchange) => {
      exchange.respond({ status: 200, headers: ['content-length', '1234'] }, 0);
      exchange.end();
    });
    for (let n = 0; n < 2; n++) {
      const { heard } = ask(client, { method: 'HEAD' });
      expect(await heard.over).toBe(null);
      expect(heard.events).toEqual(['head 200', 'end', 'close']);
    }
  });

  test('tells the writer to wait while the other end does not read, and to go on when it does', async () => {
    const { onRequest, request } = nextRequest();
    const { client } = await version.connect(onRequest);
    let drains = 0;
    const { exchange } = ask(client, {
      method: 'POST',
      onDrain: () => {
        drains += 1;
      },
    });
    exchange.flush();
    const there = new Heard();
    const served = await request;
    let sent = 0;
    // The kernel's own buffers are filled first.
    for (let isFull = false; !isFull; ) {
      for (let n = 0; n < 100; n++) {
        isFull = !exchange.write(LARGE.subarray(0, 100_000)) || isFull;
        sent += 100_000;
      }
      await turn();
    }
    expect(drains).toBe(0);
    served.respond({ status: 200, headers: [] }, null);
    there.receive(served);
    await expect.poll(() => drains).toBeGreaterThan(0);
    exchange.end();
    await expect.poll(() => there.has('end'), { timeout: 10_000 }).toBe(true);
    expect(there.body.length).toBe(sent);
  });

  test('that the server resets before its answer fails, and in the midst of it is closed with why', async () => {
    for (const isBegun of [false, true]) {
      const { onRequest, request } = nextRequest();
      const { client } = await version.connect(onRequest);
      const { heard } = ask(client);
      const served = await request;
      if (isBegun) {
        served.respond({ status: 200, headers: [] }, null);
        served.write(Buffer.from('some'));
        served.flush();
        await expect.poll(() => heard.body.toString()).toBe('some');
      }
      served.reset('INTERNAL_ERROR');
      expect(await heard.over).toMatchObject({ kind: 'reset' });
      expect(heard.has('end')).toBe(false);
      expect(heard.has('failed')).toBe(!isBegun);
    }
  });

  test('that the client resets is told to the server, whether it had begun to receive or not', async () => {
    for (const hasReceived of [false, true]) {
      const { onRequest, request } = nextRequest();
      const { client } = await version.connect(onRequest);
      const { exchange, heard } = ask(client, { method: 'POST' });
      exchange.flush();
      const served = await request;
      const there = new Heard();
      if (hasReceived) there.receive(served);
      else served.whenReset((error) => there.failed(error));
      exchange.reset();
      expect((await there.over)?.kind).toMatch(/reset|lost|violation/);
      expect(served.isOver).toBe(true);
      expect(heard.events).toEqual([]);
    }
  });

  test('whose complete answer was not read when the connection ended is still read to its end', async () => {
    const { onRequest, request } = nextRequest();
    const { client, cut } = await version.connect(onRequest);
    const { exchange, heard, head } = ask(client, { leaves: true });
    const served = await request;
    const body = LARGE.subarray(0, 50_000);
    served.respond({ status: 200, headers: [] }, body.length);
    served.write(body);
    served.end();
    await head;
    // All of it has arrived by the time that this has.
    await expect.poll(() => served.isOver).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    cut();
    await expect.poll(() => client.isUsable).toBe(false);
    heard.receive(exchange);
    expect(await heard.over).toBe(null);
    expect(heard.events).toEqual(['head 200', 'data', 'end', 'close']);
    expect(heard.body.equals(body)).toBe(true);
  });

  test('whose answer was cut is read as far as it came, and is no complete one', async () => {
    const { onRequest, request } = nextRequest();
    const { client, cut } = await version.connect(onRequest);
    const { exchange, heard, head } = ask(client, { leaves: true });
    const served = await request;
    served.respond({ status: 200, headers: [] }, 100_000);
    served.write(LARGE.subarray(0, 20_000));
    served.flush();
    await head;
    await new Promise((resolve) => setTimeout(resolve, 50));
    cut();
    await expect.poll(() => client.isUsable).toBe(false);
    heard.receive(exchange);
    expect(await heard.over).toMatchObject({ kind: 'lost' });
    expect(heard.body.length).toBe(20_000);
    expect(heard.has('end')).toBe(false);
  });

  test('may be answered before the request has ended, and the answer is whole', async () => {
    const { client } = await version.connect((exchange) => {
      exchange.respond({ status: 413, headers: [] }, 9);
      exchange.write(Buffer.from('too large'));
      exchange.end();
    });
    const { exchange, heard } = ask(client, { method: 'POST' });
    exchange.write(Buffer.from('x'));
    exchange.flush();
    await expect.poll(() => heard.has('end')).toBe(true);
    expect(heard.body.toString()).toBe('too large');
    expect(heard.events.slice(0, 3)).toEqual(['head 413', 'data', 'end']);
    exchange.reset();
  });

  test('arrives whole wherever the wire cuts its bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }),
        fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 1, maxLength: 5 }),
        async (sizes, bodies) => {
          let { client, cut } = version.connectCut(sizes, echo);
          for (const size of bodies) {
            // Answered before it had ended, a request of HTTP/1.1 is the last one.
            if (!client.isUsable) ({ client, cut } = version.connectCut(sizes, echo));
            const body = LARGE.subarray(0, size);
            const { exchange, heard } = ask(client, { method: 'POST' });
            sendAll(exchange, body, ['x-t', String(size)]);
            expect(await heard.over).toBe(null);
            expect(heard.body.equals(body)).toBe(true);
            expect(heard.has(`trailers x-t=${size}`)).toBe(true);
          }
          cut();
        },
      ),
      runs(30),
    );
  });

  test('ends exactly once for both, at whatever moment whoever gives up, and tells nothing afterwards', async () => {
    expect.hasAssertions();
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 12 }),
        fc.constantFrom('client', 'server', 'wire'),
        fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 4 }),
        async (moment, who, sizes) => {
          const there = new Heard();
          let served: ServerExchange | null = null;
          const { client, cut } = version.connectCut(sizes, (exchange) => {
            served = exchange;
            exchange.respond({ status: 200, headers: [] }, null);
            there.receive(exchange, { onDrain: () => goOnBack() });
            const goOnBack = sendAll(exchange, LARGE.subarray(0, 100_000));
          });
          const { exchange, heard } = ask(client, { method: 'POST', onDrain: () => goOn() });
          const goOn = sendAll(exchange, LARGE.subarray(0, 100_000));
          for (let n = 0; n < moment; n++) await turn();
          if (who === 'client') exchange.reset();
          else if (who === 'server') (served as ServerExchange | null)?.reset();
          else cut();
          const told = heard.events.length;
          // Who gave up itself is told nothing more; who was not asked yet has nothing to hear.
          if (who === 'client') served = null;
          if (who !== 'client' && served !== null) await heard.over;
          if (who !== 'server' && served !== null) await there.over;
          for (let n = 0; n < 5; n++) await turn();
          if (who === 'client') expect(heard.events.length).toBe(told);
          expectOneEnd(heard);
          expectOneEnd(there);
          cut();
        },
      ),
      runs(60),
    );
  });
});
