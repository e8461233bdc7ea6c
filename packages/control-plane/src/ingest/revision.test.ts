import { createLogger } from '@aquifer/runtime';
import { expect, test, vi } from 'vitest';
import { Graph } from '../collections/graph.ts';
import { ClusterInputs } from './cluster-inputs.ts';
import { ClusterStore } from './cluster-store.ts';
import { malformedObjects } from './malformed.ts';
import { isManaged } from './revision.ts';

function labelled(revision: string | undefined) {
  const labels = revision === undefined ? {} : { 'istio.io/rev': revision };
  const listeners = [{ name: 'mesh', port: 15008, protocol: 'HBONE' }];
  return {
    apiVersion: 'v1',
    kind: 'Any',
    metadata: { namespace: 'shop', name: 'x', labels },
    spec: { gatewayClassName: 'istio-waypoint', listeners },
  };
}

function emptyStore() {
  const graph = new Graph(vi.fn());
  const cluster = new ClusterInputs(graph);
  const take = (): ClusterInputs => {
    graph.settle();
    return cluster;
  };
  return {
    store: new ClusterStore({
      inputs: cluster,
      malformed: malformedObjects(graph),
      revision: 'default',
      log: createLogger('test', { format: 'plain', write: () => undefined }),
      onChange: () => undefined,
    }),
    take,
  };
}

test('a policy that is given to another revision is gone (P097, P166)', () => {
  const { store, take } = emptyStore();
  const isThere = () => take().get('AuthorizationPolicy', 'shop', 'x') !== undefined;
  store.replace('AuthorizationPolicy', [labelled(undefined)]);
  expect(isThere()).toBe(true);
  store.change('AuthorizationPolicy', labelled('canary'), false);
  expect(isThere()).toBe(false);
  store.change('AuthorizationPolicy', labelled('default'), false);
  expect(isThere()).toBe(true);
});

test('the label hides no Service and no Gateway', () => {
  const { store, take } = emptyStore();
  store.replace('Service', [labelled('canary')]);
  store.replace('Gateway', [labelled('canary')]);
  const cluster = take();
  expect([cluster.of('Service').size, cluster.of('Gateway').size]).toEqual([1, 1]);
});

test.for([
  { gateway: 'canary', namespace: undefined, managed: false },
  { gateway: 'default', namespace: 'canary', managed: true },
  { gateway: undefined, namespace: 'canary', managed: false },
  { gateway: undefined, namespace: undefined, managed: true },
  { gateway: '', namespace: 'canary', managed: true },
])('a Gateway of $gateway in a namespace of $namespace is managed: $managed (P166)', (given) => {
  const { gateway, namespace, managed } = given;
  expect(isManaged(labelled(gateway), labelled(namespace), 'default')).toBe(managed);
});
