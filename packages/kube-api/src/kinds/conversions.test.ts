import { describe, expect, test } from 'vitest';
import type { ApiObject } from '../cluster-client.ts';
import { asStored, inVersion } from './conversions.ts';

const metadata = {
  name: 'web',
  namespace: 'shop',
  uid: 'u',
  creationTimestamp: '',
  resourceVersion: '1',
};
const stored = (kind: string, apiVersion: string, rest: object): ApiObject =>
  ({ kind, apiVersion, metadata, ...rest }) as unknown as ApiObject;

describe('an event of events.k8s.io', () => {
  const version = { collection: '/events', apiVersion: 'events.k8s.io/v1' };
  const core = stored('Event', 'v1', {
    involvedObject: { kind: 'Pod', name: 'web' },
    message: 'began',
    source: { component: 'kubelet' },
    count: 2,
    reason: 'Started',
  });

  test('is one of the core API, by other names', () => {
    expect(inVersion(version, core)).toEqual(
      stored('Event', 'events.k8s.io/v1', {
        regarding: { kind: 'Pod', name: 'web' },
        note: 'began',
        deprecatedSource: { component: 'kubelet' },
        deprecatedCount: 2,
        reason: 'Started',
      }),
    );
  });

  test('is stored as it came out', () => {
    const again = asStored(version, inVersion(version, core), core);
    expect({ ...again, apiVersion: 'v1' }).toEqual(core);
  });
});

describe('an autoscaler of autoscaling/v1', () => {
  const version = {
    collection: 'autoscaling/horizontalpodautoscalers',
    apiVersion: 'autoscaling/v1',
  };
  const cpu = (averageUtilization: number) => ({
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
  });
  const memory = {
    type: 'Resource',
    resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } },
  };
  const both = stored('HorizontalPodAutoscaler', 'autoscaling/v2', {
    spec: { maxReplicas: 3, metrics: [cpu(60), memory], behavior: { scaleUp: {} } },
    status: {},
  });

  test('shows the use of the CPU alone', () => {
    expect(inVersion(version, both)).toMatchObject({
      spec: { maxReplicas: 3, targetCPUUtilizationPercentage: 60 },
    });
  });

  test('changes the use of the CPU, and nothing of what it does not know', () => {
    const shown = inVersion(version, both);
    const changed = { ...shown, spec: { maxReplicas: 5, targetCPUUtilizationPercentage: 70 } };
    expect(asStored(version, changed as unknown as ApiObject, both)).toMatchObject({
      spec: { maxReplicas: 5, metrics: [cpu(70), memory], behavior: { scaleUp: {} } },
    });
  });
});
