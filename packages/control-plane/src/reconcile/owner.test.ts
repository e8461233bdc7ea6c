import { expect, test, vi } from 'vitest';
import { Graph } from '../collections/graph.ts';
import { noteOutcome, type Obstacles } from './owner.ts';
import type { Manifest } from './wish.ts';

function noted() {
  const graph = new Graph(vi.fn());
  const obstacles: Obstacles = graph.input('obstacles');
  const note = (kind: Manifest['kind'], outcome: 'declined' | 'settled'): boolean => {
    const manifest = { apiVersion: 'v1', kind, metadata: { namespace: 'shop', name: 'waypoint' } };
    const write = {
      verb: 'applyOwned',
      path: `/${kind}`,
      manifest,
      basis: { gateway: 'shop/waypoint', gatewayPath: '', gatewayState: '', resourceVersion: '' },
    } as const;
    return noteOutcome(obstacles, write, outcome);
  };
  return { graph, note, paths: () => Array.from(obstacles.entries(), ([path]) => path) };
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
