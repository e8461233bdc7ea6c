import { expect, test, vi } from 'vitest';
import { Graph } from '../collections/graph.ts';
import { KubernetesApiError } from '../ingest/kubernetes-api.ts';
import { applyOwned, gatewayState, noteFailure, noteOutcome, type Obstacles } from './owner.ts';
import type { Manifest } from './wish.ts';

const GATEWAY = { metadata: { namespace: 'shop', name: 'waypoint', uid: 'g', generation: 1 } };

function writeOf(kind: Manifest['kind'], resourceVersion = '') {
  return {
    verb: 'applyOwned',
    path: `/${kind}`,
    manifest: { apiVersion: 'v1', kind, metadata: { namespace: 'shop', name: 'waypoint' } },
    basis: {
      gateway: 'shop/waypoint',
      gatewayPath: '/gateway',
      gatewayState: gatewayState(GATEWAY),
      resourceVersion,
    },
  } as const;
}

function noted() {
  const graph = new Graph(vi.fn());
  const obstacles: Obstacles = graph.input('obstacles');
  const note = (kind: Manifest['kind'], outcome: 'declined' | 'settled' | 'outdated'): boolean =>
    noteOutcome(obstacles, writeOf(kind), outcome);
  const fail = (error: Error): boolean => noteFailure(obstacles, writeOf('Deployment'), error);
  return { graph, note, fail, paths: () => Array.from(obstacles.entries(), ([path]) => path) };
}

test('objects of somebody else that turn up in one round are all remembered', () => {
  const { graph, note, paths } = noted();
  expect(note('Deployment', 'declined')).toBe(true);
  expect(note('Service', 'declined')).toBe(true);
  expect(note('ServiceAccount', 'declined')).toBe(false);
  graph.settle();
  expect(paths()).toEqual(['/Deployment', '/Service']);
  expect(note('Service', 'declined')).toBe(false);
});

test('of two writes of one object in one round the later one counts', () => {
  const { graph, note, paths } = noted();
  note('Service', 'declined');
  note('Service', 'settled');
  graph.settle();
  expect(paths()).toEqual([]);
});

test('what the API refuses is remembered until it takes it; what fails otherwise is not, nor what was not written', () => {
  const { graph, note, fail, paths } = noted();
  expect(fail(new KubernetesApiError(422, 'Invalid', 'spec.selector is immutable'))).toBe(true);
  graph.settle();
  expect(paths()).toEqual(['/Deployment']);
  expect(note('Deployment', 'outdated')).toBe(false);
  expect(fail(new KubernetesApiError(500, '', 'overloaded'))).toBe(false);
  expect(fail(new Error('connection reset'))).toBe(false);
  graph.settle();
  expect(paths()).toEqual(['/Deployment']);
  expect(note('Deployment', 'settled')).toBe(true);
  graph.settle();
  expect(paths()).toEqual([]);
});

test.for([
  { what: 'nothing has changed', outcome: 'written' },
  { what: 'the object was made meanwhile', object: '7', outcome: 'outdated' },
  { what: 'the object was changed meanwhile', seen: '7', object: '8', outcome: 'outdated' },
  { what: 'the object is gone', seen: '7', outcome: 'outdated' },
  { what: 'the Gateway has changed', generation: 2, outcome: 'outdated' },
  { what: 'the Gateway is gone', generation: null, outcome: 'outdated' },
])('when $what, an object of a Gateway is $outcome', async (given) => {
  const { seen = '', object = null, generation = 1, outcome } = given;
  const labels = { 'gateway.istio.io/managed': 'istio.io-mesh-controller' };
  const stored: Readonly<Record<string, object | null>> = {
    '/Deployment': object === null ? null : { metadata: { labels, resourceVersion: object } },
    '/gateway':
      generation === null ? null : { metadata: { ...GATEWAY.metadata, generation, labels: {} } },
  };
  const applied: object[] = [];
  const result = await applyOwned(writeOf('Deployment', seen), {
    get: async (path) => (stored[path] ?? null) as never,
    apply: async (_path, body) => {
      applied.push(body);
      return { metadata: { resourceVersion: '9' } } as never;
    },
  });
  expect(applied).toHaveLength(outcome === 'written' ? 1 : 0);
  if (outcome === 'outdated') expect(result).toBe('outdated');
});
