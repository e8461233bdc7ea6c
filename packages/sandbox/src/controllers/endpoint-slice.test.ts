import type { ApiObject } from '@aquifer/kube-api';
import { expect, test } from 'vitest';
import { sliceGroups } from './endpoint-slice.ts';

const service: ApiObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'echo', namespace: 'shop' },
  spec: { ports: [{ name: 'http', port: 80, targetPort: 'web', protocol: 'TCP' }] },
};

interface PodState {
  readonly isReady?: boolean;
  readonly isTerminating?: boolean;
  readonly port?: number;
  readonly phase?: string;
}

function pod(name: string, ip: string, state: PodState = {}): ApiObject {
  const { isReady = true, isTerminating = false, port = 8080, phase = 'Running' } = state;
  const deletion = isTerminating ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', uid: `uid-${name}`, ...deletion },
    spec: {
      nodeName: 'node-1',
      containers: [{ name: 'app', ports: [{ name: 'web', containerPort: port }] }],
    },
    status: {
      phase,
      podIP: ip,
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
    },
  };
}

function endpointsOf(pods: readonly ApiObject[], of: ApiObject = service): unknown[] {
  return sliceGroups(of, pods, new Map([['node-1', 'zone-1']])).flatMap(
    ({ endpoints }) => endpoints,
  );
}

test('an endpoint says where the pod is and which port has the name', () => {
  const [slice] = sliceGroups(service, [pod('a', '10.244.1.2')], new Map([['node-1', 'zone-1']]));
  expect(slice).toEqual({
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: [
      {
        addresses: ['10.244.1.2'],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: 'node-1',
        targetRef: { kind: 'Pod', namespace: 'shop', name: 'a', uid: 'uid-a' },
        zone: 'zone-1',
      },
    ],
  });
});

test.for([
  { state: { isReady: false }, conditions: { ready: false, serving: false, terminating: false } },
  {
    state: { isTerminating: true },
    conditions: { ready: false, serving: true, terminating: true },
  },
])('a pod that is $state has conditions $conditions', ({ state, conditions }) => {
  expect(endpointsOf([pod('a', '10.244.1.2', state)])).toMatchObject([{ conditions }]);
});

test('a Service that publishes unready addresses takes every pod as ready', () => {
  const eager = { ...service, spec: { ...service.spec, publishNotReadyAddresses: true } };
  expect(endpointsOf([pod('a', '10.244.1.2', { isReady: false })], eager)).toMatchObject([
    { conditions: { ready: true, serving: false } },
  ]);
});

test('pods that ended or have no address are left out; different numbers of a named port part', () => {
  expect(endpointsOf([pod('a', '10.244.1.2', { phase: 'Succeeded' }), pod('b', '')])).toEqual([]);
  const mixed = [pod('a', '10.244.1.2'), pod('b', '10.244.1.3', { port: 9090 })];
  expect(sliceGroups(service, mixed, new Map()).map(({ ports }) => ports)).toEqual([
    [{ name: 'http', port: 8080, protocol: 'TCP' }],
    [{ name: 'http', port: 9090, protocol: 'TCP' }],
  ]);
});
