import type { ApiObject } from '@aquifer/kube-api';
import { expect, test } from 'vitest';
import { nextSteps } from './stateful-set.ts';

function set(spec: Record<string, unknown>): ApiObject {
  return { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'db' }, spec };
}

function pod(ordinal: number, isReady = true, revision = 'new'): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `db-${ordinal}`, labels: { 'controller-revision-hash': revision } },
    spec: {},
    status: { conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] },
  };
}

function shown(spec: Record<string, unknown>, pods: readonly ApiObject[]): string[] {
  return nextSteps(set(spec), pods, 'new').map((step) => {
    if (step.kind === 'create') return `create ${step.ordinal}`;
    return step.kind === 'delete' ? `delete ${step.pod.metadata.name}` : 'wait';
  });
}

test.for([
  ['the first pod comes first', { replicas: 3 }, [], ['create 0']],
  ['the next waits for it', { replicas: 3 }, [pod(0, false)], ['wait']],
  ['and comes when it serves', { replicas: 3 }, [pod(0)], ['create 1']],
  ['a gap is filled first', { replicas: 3 }, [pod(0), pod(2)], ['create 1']],
  ['the last goes first', { replicas: 1 }, [pod(0), pod(1), pod(2)], ['delete db-2']],
  [
    'all come at once in parallel',
    { replicas: 3, podManagementPolicy: 'Parallel' },
    [pod(1, false)],
    ['create 0', 'create 2'],
  ],
  [
    'the last outdated pod is renewed first',
    { replicas: 2 },
    [pod(0, true, 'old'), pod(1, true, 'old')],
    ['delete db-1'],
  ],
  [
    'those below the partition stay',
    { replicas: 2, updateStrategy: { rollingUpdate: { partition: 1 } } },
    [pod(0, true, 'old'), pod(1)],
    [],
  ],
] as const)('%s', ([, spec, pods, steps]) => {
  expect(shown(spec, pods)).toEqual(steps);
});
