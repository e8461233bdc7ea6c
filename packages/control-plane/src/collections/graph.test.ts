import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { ReadOrderError } from './cell.ts';
import type { Collection } from './collection.ts';
import { Graph } from './graph.ts';

interface Pod {
  readonly node: string;
  readonly labels: readonly string[];
}

interface Service {
  readonly selector: string;
  readonly aliases: readonly string[];
}

/** Pods with their zone and Services, Services with their members, and names of both. */
function cluster(onProblem = vi.fn()) {
  const graph = new Graph(onProblem);
  const pods = graph.input<Pod>('pods');
  const services = graph.input<Service>('services');
  const zones = graph.input<string>('zones');
  const bySelector = graph.index('services by selector', services, ({ selector }) => [selector]);
  const derived: string[] = [];
  const workloads = graph.map('workloads', pods, ({ node, labels }, context, key) => {
    derived.push(key);
    if (node === 'broken') throw new Error('no such node');
    const selecting = labels.flatMap((label) => context.lookup(bySelector, label));
    return { key, zone: context.get(zones, node), services: selecting.length };
  });
  const byZone = graph.index('workloads by zone', workloads, ({ zone = 'none' }) => [zone]);
  const zoneSizes = graph.map('zone sizes', zones, (zone, context) =>
    context.lookup(byZone, zone).map(({ key }) => key),
  );
  const names = graph.flatMap('names', services, ({ aliases }, _context, key) =>
    aliases.map((alias) => [alias, key] as const),
  );
  const all = graph.union('all', names, zones);
  return { graph, pods, services, zones, workloads, zoneSizes, names, all, derived, onProblem };
}

const valuesOf = <T>(collection: Collection<T>): ReadonlyMap<string, T> =>
  new Map(collection.entries());

describe('what a change recomputes', () => {
  test('only what has read it', () => {
    const { graph, pods, zones, workloads, derived } = cluster();
    pods.set('a', { node: 'n1', labels: [] });
    pods.set('b', { node: 'n2', labels: [] });
    graph.settle();
    derived.length = 0;

    zones.set('n2', 'zone 2');
    graph.settle();

    expect(derived).toEqual(['b']);
    expect([...workloads.changes.keys()]).toEqual(['b']);
    expect(workloads.get('b')?.zone).toBe('zone 2');
  });

  test('what looked for something that was not there', () => {
    const { graph, pods, services, workloads, derived } = cluster();
    pods.set('a', { node: 'n1', labels: ['app=web'] });
    pods.set('b', { node: 'n1', labels: ['app=db'] });
    graph.settle();
    derived.length = 0;

    services.set('web', { selector: 'app=web', aliases: [] });
    graph.settle();

    expect(derived).toEqual(['a']);
    expect(workloads.get('a')?.services).toBe(1);
  });

  test('nothing, if what comes out is the same', () => {
    const { graph, pods, workloads, zoneSizes } = cluster();
    pods.set('a', { node: 'n1', labels: [] });
    graph.settle();

    pods.set('a', { node: 'n1', labels: ['app=other'] });
    graph.settle();

    expect(workloads.changes.size).toBe(0);
    expect(zoneSizes.changes.size).toBe(0);
  });
});

test('a value that comes and goes in one round never was', () => {
  const { graph, names, services } = cluster();
  services.set('a', { selector: '', aliases: ['x'] });
  graph.settle();

  services.set('a', undefined);
  services.set('a', { selector: '', aliases: ['x'] });
  graph.settle();

  expect(names.changes.size).toBe(0);
  expect(names.get('x')).toBe('a');
});

test('of two that claim a key, the smaller one has it, whoever came first', () => {
  const { graph, names, services } = cluster();
  services.set('b', { selector: '', aliases: ['x'] });
  graph.settle();
  expect(names.get('x')).toBe('b');

  services.set('a', { selector: '', aliases: ['x'] });
  graph.settle();
  expect(names.get('x')).toBe('a');

  services.set('a', undefined);
  graph.settle();
  expect(names.get('x')).toBe('b');
});

test('what throws keeps what it was, is reported, and is tried again when its inputs change', () => {
  const { graph, pods, workloads, onProblem } = cluster();
  pods.set('a', { node: 'n1', labels: [] });
  pods.set('b', { node: 'n1', labels: [] });
  graph.settle();

  pods.set('a', { node: 'broken', labels: [] });
  pods.set('b', { node: 'n2', labels: [] });
  graph.settle();
  expect(onProblem).toHaveBeenCalledExactlyOnceWith('workloads', 'a', new Error('no such node'));
  expect(workloads.get('a')).toMatchObject({ key: 'a', services: 0 });

  pods.set('a', { node: 'n3', labels: ['x'] });
  graph.settle();
  expect(onProblem).toHaveBeenCalledOnce();
});

test('a value says what it was derived from', () => {
  const { graph, pods, workloads } = cluster();
  pods.set('a', { node: 'n1', labels: ['app=web'] });
  graph.settle();

  expect([...workloads.provenance('a')]).toEqual([
    ['pods', 'a'],
    ['services by selector', 'app=web'],
    ['zones', 'n1'],
  ]);
});

/** Values under `a` and `b` by their first letters; what is no text has none. */
function filed() {
  const onProblem = vi.fn();
  const graph = new Graph(onProblem);
  const words = graph.input<string | null>('words');
  const byLetter = graph.index('words by letter', words, (word) => [word!.slice(0, 1)]);
  const letters = graph.constant('letters', ['a', 'b']);
  const found = graph.map('found', letters, (all, context) =>
    all.map((letter) => context.lookup(byLetter, letter)),
  );
  const set = (key: string, word: string | null | undefined): void => {
    words.set(key, word);
    words.set(`other ${key}`, word === undefined ? undefined : 'a neighbour');
    graph.settle();
  };
  return { set, found: () => found.get(''), onProblem };
}

test('a value that an index cannot file is reported, stays where it was, and hides no other', () => {
  const { set, found, onProblem } = filed();
  set('1', 'apple');
  set('1', null);
  set('2', null);
  expect(found()).toEqual([['apple', 'a neighbour', 'a neighbour'], []]);
  expect(onProblem).toHaveBeenCalledWith('words by letter', '1', expect.any(TypeError));

  set('1', 'bread');
  set('2', undefined);
  expect(found()).toEqual([['a neighbour'], ['bread']]);

  set('1', null);
  set('1', undefined);
  expect(found()).toEqual([[], []]);
});

test('nothing may read what is made after it', () => {
  const graph = new Graph(vi.fn());
  const source = graph.input<string>('source');
  let later: Collection<string> | null = null;
  graph.map('early', source, (_value, context) => context.get(later!, 'x'));
  later = graph.map('late', source, (value) => value);
  source.set('a', 'value');

  expect(() => graph.settle()).toThrow(new ReadOrderError('early', 'late'));
});

const KEYS = ['a', 'b', 'c', 'd'];
const LABELS = ['l1', 'l2', 'l3'];
const operation = fc.oneof(
  fc.record({
    into: fc.constant('pods' as const),
    key: fc.constantFrom(...KEYS),
    value: fc.option(
      fc.record({
        node: fc.constantFrom('n1', 'n2'),
        labels: fc.uniqueArray(fc.constantFrom(...LABELS)),
      }),
      { nil: undefined },
    ),
  }),
  fc.record({
    into: fc.constant('services' as const),
    key: fc.constantFrom(...KEYS),
    value: fc.option(
      fc.record({
        selector: fc.constantFrom(...LABELS),
        aliases: fc.uniqueArray(fc.constantFrom('x', 'y', 'n1')),
      }),
      { nil: undefined },
    ),
  }),
  fc.record({
    into: fc.constant('zones' as const),
    key: fc.constantFrom('n1', 'n2'),
    value: fc.option(fc.constantFrom('z1', 'z2'), { nil: undefined }),
  }),
  fc.constant('settle' as const),
);

test('after any series of changes, everything is as if it had been derived at once', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const kept = cluster();
      const last = new Map<string, () => void>();
      const fresh = cluster();
      for (const step of operations) {
        if (step === 'settle') kept.graph.settle();
        else {
          const put = (to: typeof kept): void =>
            (to[step.into] as { set(key: string, value: unknown): void }).set(step.key, step.value);
          put(kept);
          last.set(`${step.into}/${step.key}`, () => put(fresh));
        }
      }
      kept.graph.settle();
      for (const put of last.values()) put();
      fresh.graph.settle();
      for (const name of ['workloads', 'zoneSizes', 'names', 'all'] as const) {
        expect(valuesOf<unknown>(kept[name])).toEqual(valuesOf<unknown>(fresh[name]));
      }
    }),
  );
});

test('what a round says has changed is what has', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const { graph, pods, services, zones, workloads, names, all } = cluster();
      const inputs = { pods, services, zones };
      const followed = new Map<Collection<unknown>, Map<string, unknown>>();
      for (const collection of [workloads, names, all]) followed.set(collection, new Map());
      for (const step of [...operations, 'settle' as const]) {
        if (step !== 'settle') {
          (inputs[step.into] as { set(key: string, value: unknown): void }).set(
            step.key,
            step.value,
          );
          continue;
        }
        graph.settle();
        for (const [collection, values] of followed) {
          for (const [key, { before, now }] of collection.changes) {
            expect(values.get(key)).toEqual(before);
            if (now === undefined) values.delete(key);
            else values.set(key, now);
          }
          expect(values).toEqual(valuesOf(collection));
        }
      }
    }),
  );
});
