import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runs } from '../../../../test/fuzz/runs.ts';
import { heldByThread } from './held-bytes.ts';
import { type BodySink, RequestBody } from './request-body.ts';

/** A client that can be made to wait, and an attempt that has room or not. */
class Client {
  isPaused = false;
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
}

class Sink implements BodySink {
  text = '';
  hasRoom = true;
  hasEnded = false;
  write(chunk: Buffer): boolean {
    this.text += chunk.toString('latin1');
    return this.hasRoom;
  }
  flush(): void {
    // Nothing is gathered here.
  }
  end(): void {
    this.hasEnded = true;
  }
}

function bodyOf(client: Client, maxReplayBytes = 100): RequestBody {
  return new RequestBody(client, { isComplete: false, maxReplayBytes });
}

function arrive(body: RequestBody, ...pieces: string[]): void {
  for (const piece of pieces) body.onData(Buffer.from(piece, 'latin1'));
  body.onBatch();
}

describe('the body of a request', () => {
  test('stops the client while nobody takes it, keeps what had been read, and goes on when somebody does', () => {
    const client = new Client();
    const body = bodyOf(client, 0);
    arrive(body, 'one ', 'two ');
    expect(client.isPaused).toBe(true);
    const sink = new Sink();
    body.startOver(sink);
    expect(client.isPaused).toBe(false);
    arrive(body, 'three');
    body.onEnd();
    expect(sink).toMatchObject({ text: 'one two three', hasEnded: true });
  });

  test('does not change when the read buffer is used again', () => {
    const body = bodyOf(new Client());
    const read = Buffer.from('first');
    body.onData(read);
    read.fill('x');
    const sink = new Sink();
    body.startOver(sink);
    expect(sink.text).toBe('first');
  });

  test('waits for an attempt that has no room, and gives it the rest in order', () => {
    const client = new Client();
    const body = bodyOf(client);
    const sink = new Sink();
    body.startOver(sink);
    sink.hasRoom = false;
    arrive(body, 'a', 'b', 'c');
    expect({ text: sink.text, isPaused: client.isPaused }).toEqual({ text: 'a', isPaused: true });
    body.pull();
    expect(sink.text).toBe('ab');
    sink.hasRoom = true;
    body.pull();
    expect({ text: sink.text, isPaused: client.isPaused }).toEqual({
      text: 'abc',
      isPaused: false,
    });
  });

  test('can be sent again until more was passed on than is kept, or an answer has begun', () => {
    const large = bodyOf(new Client(), 3);
    large.startOver(new Sink());
    arrive(large, 'abc');
    expect(large.canStartOver).toBe(true);
    arrive(large, 'd');
    expect(large.canStartOver).toBe(false);
    const answered = bodyOf(new Client());
    answered.startOver(new Sink());
    answered.forgoReplay();
    expect(answered.canStartOver).toBe(false);
  });

  test('stays repeatable however much arrives while no attempt takes it', () => {
    const body = bodyOf(new Client(), 3);
    body.startOver(new Sink());
    arrive(body, 'abc');
    body.release();
    arrive(body, 'defghi');
    expect(body.canStartOver).toBe(true);
    const sink = new Sink();
    body.startOver(sink);
    expect(sink.text).toBe('abcdefghi');
    expect(body.canStartOver).toBe(false);
  });

  test('that comes byte by byte is not held in as many buffers', () => {
    const body = bodyOf(new Client());
    for (let i = 0; i < 10_000; i++) body.onData(Buffer.from('x'));
    let writes = 0;
    body.startOver({
      write: () => {
        writes += 1;
        return true;
      },
      flush: () => undefined,
      end: () => undefined,
    });
    expect(writes).toBeLessThan(30);
  });
});

type Step =
  | { readonly kind: 'arrive'; readonly bytes: number }
  | { readonly kind: 'room'; readonly hasRoom: boolean }
  | { readonly kind: 'retry' | 'connected' };

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('arrive' as const), bytes: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ kind: fc.constant('room' as const), hasRoom: fc.boolean() }),
    fc.record({ kind: fc.constantFrom('retry' as const, 'connected' as const) }),
  ),
  { maxLength: 60 },
);

/** Runs one attempt after the other on one body; returns what arrived, and what the last attempt has. */
function run(script: readonly Step[], maxReplayBytes: number): { sent: string; sink: Sink } {
  const client = new Client();
  const body = bodyOf(client, maxReplayBytes);
  let sent = '';
  let sink = new Sink();
  let isConnected = false;
  const connect = (): void => {
    if (!isConnected && body.canStartOver) body.startOver(sink);
    isConnected = true;
  };
  for (const step of script) {
    if (step.kind === 'arrive' && !client.isPaused) {
      const piece = Array.from({ length: step.bytes }, (_, i) =>
        String.fromCharCode((sent.length + i) % 256),
      ).join('');
      sent += piece;
      arrive(body, piece);
    } else if (step.kind === 'room') {
      sink.hasRoom = step.hasRoom;
      if (step.hasRoom) body.pull();
    } else if (step.kind === 'retry' && isConnected && body.canStartOver) {
      body.release();
      sink = new Sink();
      isConnected = false;
    } else if (step.kind === 'connected') connect();
  }
  connect();
  sink.hasRoom = true;
  body.pull();
  body.onEnd();
  return { sent, sink };
}

test('whatever happens to attempts, the last one has every byte once and in order, and then its end', () => {
  fc.assert(
    fc.property(steps, fc.constantFrom(0, 50, 1000), (script, maxReplayBytes) => {
      const { sent, sink } = run(script, maxReplayBytes);
      expect(sink).toMatchObject({ text: sent, hasEnded: true });
    }),
    runs(2000, 7),
  );
});

test('many requests together hold no more than a thread may spare, and all are passed on whole', () => {
  const mebibyte = 1024 * 1024;
  const before = heldByThread();
  const requests = Array.from({ length: 100 }, () => {
    const body = bodyOf(new Client(), 2 * mebibyte);
    const sink = new Sink();
    body.startOver(sink);
    return { body, sink };
  });
  const piece = 'x'.repeat(mebibyte);
  for (const { body } of requests) arrive(body, piece);
  expect(heldByThread() - before).toBeLessThanOrEqual(64 * mebibyte);
  expect(requests.filter(({ body }) => body.canStartOver).length).toBeGreaterThan(50);
  for (const { sink } of requests) expect(sink.text.length).toBe(mebibyte);
  for (const { body } of requests) body.close();
  expect(heldByThread()).toBe(before);
});
