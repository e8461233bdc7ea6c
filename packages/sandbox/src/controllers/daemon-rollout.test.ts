import type { ApiObject } from '@aquifer/kube-api';
import { expect, test } from 'vitest';
import { planDaemonRollout } from './daemon-rollout.ts';

function set(rollingUpdate: Record<string, unknown>): ApiObject {
  const spec = { updateStrategy: { type: 'RollingUpdate', rollingUpdate } };
  return { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'proxy' }, spec };
}

/** `old` or `new`, with `-starting` for one that does not serve yet. */
function pod(node: string, state: string): ApiObject {
  const [revision = '', starting] = state.split('-');
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${node}:${state}`,
      labels: { 'controller-revision-hash': revision },
    },
    spec: { nodeName: node },
    status: { conditions: [{ type: 'Ready', status: starting === undefined ? 'True' : 'False' }] },
  };
}

function plan(rollingUpdate: Record<string, unknown>, nodes: Record<string, string[]>): string {
  const byNode = new Map(
    Object.entries(nodes).map(([node, states]) => [node, states.map((state) => pod(node, state))]),
  );
  const { surge, remove } = planDaemonRollout(set(rollingUpdate), byNode, 'new');
  const removed = remove.map(({ metadata }) => `remove ${metadata.name}`);
  return [...surge.map((node) => `add ${node}`), ...removed].join(', ');
}

const SURGE = { maxSurge: 1, maxUnavailable: 0 };

test.for<[string, Record<string, unknown>, Record<string, string[]>, string]>([
  ['one pod at a time is removed', {}, { a: ['old'], b: ['old'] }, 'remove a:old'],
  ['not while one is missing', {}, { a: ['new-starting'], b: ['old'] }, ''],
  ['a broken one at once', {}, { a: ['new-starting'], b: ['old-broken'] }, 'remove b:old-broken'],
  ['with surge, one is added beside it', SURGE, { a: ['old'], b: ['old'] }, 'add a'],
  ['until it serves, nothing more', SURGE, { a: ['old', 'new-starting'], b: ['old'] }, ''],
  [
    'then the old one goes and the next begins',
    SURGE,
    { a: ['old', 'new'], b: ['old'] },
    'add b, remove a:old',
  ],
  ['nothing is left to do', SURGE, { a: ['new'], b: ['new'] }, ''],
])('%s', ([, rollingUpdate, nodes, expected]) => {
  expect(plan(rollingUpdate, nodes)).toBe(expected);
});
