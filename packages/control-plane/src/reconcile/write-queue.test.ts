import { setTimeout as delay } from 'node:timers/promises';
import { createLogger } from '@aquifer/runtime';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type WriteOutcome, WriteQueue } from './write-queue.ts';

const log = createLogger('test', { format: 'plain', write: () => undefined });

/** A queue over a value: `wanted` is wished for until it is `stored`. */
function reconciler(write: (value: string) => Promise<WriteOutcome>) {
  const state = { wanted: 'first', stored: '', mayWrite: true };
  const wish = (): void => {
    const { wanted } = state;
    if (state.stored === wanted) return;
    queue.wish('object', wanted, async () => {
      const outcome = await write(wanted);
      state.stored = wanted;
      return outcome;
    });
  };
  const queue = new WriteQueue({ log, recheck: wish, mayWrite: () => state.mayWrite });
  onTestFinished(() => queue.stop());
  return { state, wish };
}

test('what failed is not written later over what was wished for meanwhile', async () => {
  const written: string[] = [];
  const { state, wish } = reconciler(async (value) => {
    written.push(value);
    if (written.length === 1) throw new Error('refused');
    return {};
  });
  wish();
  await vi.waitFor(() => expect(written).toEqual(['first']));
  state.wanted = 'second';
  wish();
  await vi.waitFor(() => expect(state.stored).toBe('second'), 5000);
  await delay(1000);
  expect(written).toEqual(['first', 'second']);
});

test('a write that is refused again and again is tried with growing pauses, however often it is wished for', async () => {
  let attempts = 0;
  const { wish } = reconciler(async () => {
    attempts += 1;
    throw new Error('refused');
  });
  for (let n = 0; n < 200; n++) {
    wish();
    await delay(10);
  }
  expect(attempts).toBeGreaterThan(1);
  expect(attempts).toBeLessThan(6);
});

test('a wish that is no longer there is not written when its pause is over', async () => {
  const written: string[] = [];
  const { state, wish } = reconciler(async (value) => {
    written.push(value);
    throw new Error('refused');
  });
  wish();
  await vi.waitFor(() => expect(written).toEqual(['first']));
  state.stored = state.wanted;
  await delay(1000);
  expect(written).toEqual(['first']);
});

test('the newest of several wishes for an object is written after the one that is under way', async () => {
  const written: string[] = [];
  const gate = Promise.withResolvers<object>();
  const { state, wish } = reconciler((value) => {
    written.push(value);
    return value === 'first' ? gate.promise : Promise.resolve({});
  });
  wish();
  for (const wanted of ['second', 'third']) {
    state.wanted = wanted;
    wish();
  }
  gate.resolve({});
  await vi.waitFor(() => expect(state.stored).toBe('third'));
  expect(written).toEqual(['first', 'third']);
});

test('a write that is wished for no more before there was room for it is not made', async () => {
  const written: string[] = [];
  const gate = Promise.withResolvers<object>();
  const queue = new WriteQueue({ log, recheck: () => undefined });
  onTestFinished(() => queue.stop());
  const wishFor = (keys: readonly string[], fingerprint: string): void =>
    queue.startRound(() => {
      for (const key of keys) {
        queue.wish(key, fingerprint, () => {
          written.push(`${key} ${fingerprint}`);
          return gate.promise;
        });
      }
    });
  const busy = Array.from({ length: 8 }, (_, n) => `busy ${n}`);
  wishFor([...busy, 'kept', 'deleted'], 'old');
  wishFor([busy[0]!, 'kept', 'deleted'], 'new');
  wishFor(['kept'], 'new');
  gate.resolve({});
  await vi.waitFor(() => expect(written).toContain('kept new'));
  await delay(50);
  expect(written).toEqual([...busy.map((key) => `${key} old`), 'kept new']);
});

test('a queue has stopped when what was under way has ended, and begins nothing more', async () => {
  const written: string[] = [];
  const gate = Promise.withResolvers<object>();
  const queue = new WriteQueue({ log, recheck: () => undefined });
  queue.wish('object', 'first', () => {
    written.push('first');
    return gate.promise;
  });
  queue.wish('object', 'second', async () => {
    written.push('second');
    return {};
  });
  let hasStopped = false;
  const stopped = queue.stop().then(() => {
    hasStopped = true;
  });
  await delay(50);
  expect(hasStopped).toBe(false);
  gate.resolve({});
  await stopped;
  await delay(10);
  expect(written).toEqual(['first']);
});

test('a write that changed nothing is not repeated', async () => {
  let attempts = 0;
  const queue = new WriteQueue({ log, recheck: () => wish() });
  onTestFinished(() => queue.stop());
  const wish = (): void =>
    queue.wish('object', 'same', async () => {
      attempts += 1;
      return 'settled';
    });
  wish();
  await vi.waitFor(() => expect(attempts).toBe(1));
  for (let n = 0; n < 10; n++) wish();
  await delay(50);
  expect(attempts).toBe(1);
});

test('nothing is written by whoever may not write, until it may', async () => {
  const written: string[] = [];
  const { state, wish } = reconciler(async (value) => {
    written.push(value);
    return {};
  });
  state.mayWrite = false;
  wish();
  await delay(50);
  expect(written).toEqual([]);
  state.mayWrite = true;
  wish();
  await vi.waitFor(() => expect(written).toEqual(['first']));
});

/** Thousands of objects that are as they should be. `round` wishes for some of them; `written` counts. */
function settledObjects() {
  const written = new Map<string, number>();
  const queue = new WriteQueue({ log, recheck: () => undefined });
  onTestFinished(() => queue.stop());
  const round = (keys: readonly string[]): void =>
    queue.startRound(() => {
      for (const key of keys) {
        queue.wish(key, 'same', async () => {
          written.set(key, (written.get(key) ?? 0) + 1);
          return 'settled';
        });
      }
    });
  return { written, round, keys: Array.from({ length: 3000 }, (_, n) => `object ${n}`) };
}

test('what changed nothing is not written again among thousands', async () => {
  const { written, round, keys } = settledObjects();
  round(keys);
  await vi.waitFor(() => expect(written.size).toBe(3000));
  for (let n = 0; n < 5; n++) round(keys);
  await delay(50);
  expect(new Set(written.values())).toEqual(new Set([1]));
});

test('of many objects those that nobody wishes for are forgotten', async () => {
  const { written, round, keys } = settledObjects();
  const [first, second] = [keys.slice(0, 800), keys.slice(800, 1600)];
  for (const some of [first, second]) {
    round(some);
    await vi.waitFor(() => expect(written.get(some.at(-1)!)).toBe(1));
  }
  round([...first, ...second]);
  await vi.waitFor(() => expect(written.get(first.at(-1)!)).toBe(2));
  expect(written.get(second.at(-1)!)).toBe(1);
});
