import { describe, expect, test } from 'vitest';
import type { ApiObject } from '../cluster-client.ts';
import type { JsonObject } from '../json.ts';
import { warningsOf } from './without-effect.ts';

const container = (fields: JsonObject): JsonObject => ({ name: 'web', image: 'nginx', ...fields });
const limits = { resources: { limits: { memory: '64Mi' } } };
const pod = (spec: JsonObject): JsonObject => ({ kind: 'Pod', spec });
const LIMITS = 'the sandbox does not enforce limits';

describe('a warning', () => {
  test.for<[what: string, collection: string, object: JsonObject, warnings: string[]]>([
    [
      'is given for a whole kind',
      '/resourcequotas',
      { kind: 'ResourceQuota' },
      ['the sandbox does not enforce quotas'],
    ],
    [
      'names the field of a pod',
      '/pods',
      pod({ containers: [container({}), container(limits)] }),
      [`spec.containers[].resources.limits: ${LIMITS}`],
    ],
    [
      'is given for init containers too',
      '/pods',
      pod({ initContainers: [container(limits)], containers: [container({})] }),
      [`spec.initContainers[].resources.limits: ${LIMITS}`],
    ],
    [
      'is given for the template of a workload',
      'apps/deployments',
      {
        spec: { progressDeadlineSeconds: 600, template: pod({ containers: [container(limits)] }) },
      },
      [`spec.template.spec.containers[].resources.limits: ${LIMITS}`],
    ],
    [
      'is not given for values that are fulfilled',
      '/services',
      { spec: { type: 'ClusterIP', sessionAffinity: 'None', internalTrafficPolicy: 'Cluster' } },
      [],
    ],
    [
      'is given for another value',
      '/services',
      { spec: { internalTrafficPolicy: 'Local' } },
      [
        'spec.internalTrafficPolicy: the sandbox sends traffic without the mesh to the endpoints of all nodes',
      ],
    ],
    ['is not given for what is switched off', '/pods', pod({ hostIPC: false }), []],
    [
      'is given for false where true is the default',
      '/pods',
      pod({ hostUsers: false }),
      ['spec.hostUsers: the sandbox makes no user namespaces'],
    ],
  ])('%s', ([, collection, object, warnings]) => {
    expect(warningsOf(collection, object, null)).toEqual(warnings);
  });

  test('about a field is not repeated while the field is there', () => {
    const object = pod({ containers: [container(limits)] });
    expect(warningsOf('/pods', object, object as unknown as ApiObject)).toEqual([]);
  });
});
