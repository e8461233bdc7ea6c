import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Resource } from '../derive/resource.ts';
import { type ServedReader, ServedSet } from './served-set.ts';

function resource(name: string, version: string): Resource {
  return { name, version, value: null, bytes: new Uint8Array(), sources: [] };
}

/** What a proxy has that applies everything that its reader says. */
class Follower {
  readonly has = new Map<string, string>();
  readonly #reader: ServedReader;

  constructor(set: ServedSet) {
    for (const { name, version } of set.values()) this.has.set(name, version);
    this.#reader = set.follow();
  }

  read(): void {
    const { changed, removed } = this.#reader.next();
    for (const name of removed) this.has.delete(name);
    for (const { name, version } of changed) this.has.set(name, version);
  }

  close(): void {
    this.#reader.close();
  }
}

function contentOf(set: ServedSet): ReadonlyMap<string, string> {
  return new Map(Array.from(set.values(), ({ name, version }) => [name, version]));
}

test('the same version made by other objects is no change', () => {
  const set = new ServedSet();
  set.put(resource('a', '1'));
  const reader = set.follow();
  set.put(resource('a', '1'));
  expect(reader.next()).toEqual({ changed: [], removed: [] });
});

test('a name that changed several times is told once, as it is now', () => {
  const set = new ServedSet();
  set.put(resource('a', '1'));
  const reader = set.follow();
  set.put(resource('a', '2'));
  set.remove('a');
  set.put(resource('b', '1'));
  set.remove('b');
  set.put(resource('a', '3'));
  expect(reader.next()).toEqual({ changed: [resource('a', '3')], removed: ['b'] });
});

const NAMES = ['a', 'b', 'c', 'd', 'e'];
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ put: fc.constantFrom(...NAMES), version: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ remove: fc.constantFrom(...NAMES) }) },
  { weight: 2, arbitrary: fc.record({ read: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.constant('open' as const) },
  { weight: 1, arbitrary: fc.constant('close' as const) },
  // Enough changes to have the order of changes tidied up.
  { weight: 1, arbitrary: fc.record({ storm: fc.constantFrom(...NAMES) }) },
);

test('whoever follows has what there is, however slowly it reads', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const set = new ServedSet();
      const followers = [new Follower(set)];
      for (const next of steps) {
        if (next === 'open') followers.push(new Follower(set));
        else if (next === 'close') followers.shift()?.close();
        else if ('put' in next) set.put(resource(next.put, String(next.version)));
        else if ('remove' in next) set.remove(next.remove);
        else if ('read' in next) followers[next.read]?.read();
        else for (let i = 0; i < 1500; i++) set.put(resource(next.storm, `storm ${i % 7}`));
      }
      for (const follower of followers) {
        follower.read();
        expect(follower.has).toEqual(contentOf(set));
      }
    }),
  );
});

test('whoever never reads is lost before all names that ever were are kept for it', () => {
  const set = new ServedSet();
  const [stuck, reading] = [set.follow(), set.follow()];
  for (let n = 0; n < 60_000; n++) {
    set.put(resource(`pod-${n}`, '1'));
    set.remove(`pod-${n}`);
    if (n % 100 === 0) reading.next();
  }
  expect(stuck.isLost).toBe(true);
  expect(stuck.next()).toEqual({ changed: [], removed: [] });
  expect(reading.isLost).toBe(false);
  expect(set.backlog).toBeLessThan(20_000);
  set.put(resource('last', '1'));
  expect(reading.next().changed).toEqual([resource('last', '1')]);
});
