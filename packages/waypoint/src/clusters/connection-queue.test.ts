import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Breakers, DEFAULT_LIMITS } from './breakers.ts';
import { ConnectionQueue, type ConnectionWaiter } from './connection-queue.ts';

interface Told extends ConnectionWaiter<string> {
  readonly told: string[];
}

function waiter(): Told {
  const told: string[] = [];
  return {
    told,
    onConnection: (connection) => void told.push(connection),
    onNoConnection: ({ message }) => void told.push(message),
  };
}

function limited(limits: Partial<typeof DEFAULT_LIMITS>): Breakers {
  return new Breakers({ ...DEFAULT_LIMITS, ...limits });
}

describe('a queue for connections', () => {
  test('opens no more than are waited for, and as many as the limit allows', () => {
    const queue = new ConnectionQueue<string>(limited({ connections: 2 }));
    expect(queue.opens()).toBe(false);
    for (let i = 0; i < 3; i++) queue.wait(waiter());
    expect([queue.opens(), queue.opens(), queue.opens()]).toEqual([true, true, false]);
    queue.connected();
    queue.closed();
    expect([queue.opens(), queue.opens()]).toEqual([true, false]);
  });

  test('opens the first one of a host whatever other hosts have', () => {
    const breakers = limited({ connections: 1 });
    const [one, other] = [new ConnectionQueue(breakers), new ConnectionQueue(breakers)];
    for (const queue of [one, one, other, other]) queue.wait(waiter());
    expect([one.opens(), one.opens()]).toEqual([true, false]);
    expect([other.opens(), other.opens()]).toEqual([true, false]);
  });

  test('takes no more than the limit, and the next when one has been served or left', () => {
    const queue = new ConnectionQueue<string>(limited({ pending: 2 }));
    const [first, second, third] = [waiter(), waiter(), waiter()];
    expect([first, second, third].map((one) => queue.wait(one))).toEqual([true, true, false]);
    expect(queue.next()).toBe(first);
    expect(queue.wait(third)).toBe(true);
    queue.cancel(second);
    queue.cancel(second);
    expect(queue.wait(first)).toBe(true);
    expect([queue.next(), queue.next(), queue.next()]).toEqual([third, first, null]);
  });

  test('tells everybody that a host cannot be reached', () => {
    const queue = new ConnectionQueue<string>(limited({}));
    const waiting = [waiter(), waiter()];
    for (const one of waiting) queue.wait(one);
    queue.opens();
    queue.connectFailed(new Error('refused'));
    for (const { told } of waiting) expect(told).toEqual(['refused']);
    expect(queue.next()).toBeNull();
  });

  test('gives everything back to the breakers in the end', () => {
    const act = fc.constantFrom('wait', 'next', 'open', 'connect', 'fail', 'close');
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const limits = { connections: 3, pending: 3 };
        const breakers = limited(limits);
        const host = new BusyHost(breakers);
        for (const one of acts) host[one]();
        host.end();
        expect(admitted(() => breakers.admitConnection())).toBe(limits.connections);
        expect(admitted(() => breakers.admitPending())).toBe(limits.pending);
      }),
      { seed: 9 },
    );
  });
});

/** A queue, and the connections that a pool would have. */
class BusyHost {
  readonly #queue: ConnectionQueue<string>;
  #connecting = 0;
  #connected = 0;

  constructor(breakers: Breakers) {
    this.#queue = new ConnectionQueue(breakers);
  }

  wait(): void {
    this.#queue.wait(waiter());
  }

  next(): void {
    this.#queue.next();
  }

  open(): void {
    if (this.#queue.opens()) this.#connecting += 1;
  }

  connect(): void {
    if (this.#connecting === 0) return;
    this.#queue.connected();
    this.#connecting -= 1;
    this.#connected += 1;
  }

  fail(): void {
    if (this.#connecting === 0) return;
    this.#queue.connectFailed(new Error('refused'));
    this.#connecting -= 1;
  }

  close(): void {
    if (this.#connected === 0) return;
    this.#queue.closed();
    this.#connected -= 1;
  }

  end(): void {
    while (this.#queue.next() !== null);
    while (this.#connecting > 0) this.fail();
    while (this.#connected > 0) this.close();
  }
}

function admitted(admit: () => boolean): number {
  let count = 0;
  while (admit()) count += 1;
  return count;
}
