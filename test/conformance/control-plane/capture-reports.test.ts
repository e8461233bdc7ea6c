import { grpcMethods } from '@aquifer/wire';
import {
  CaptureReportRequestSchema,
  CaptureState,
  NodeService,
} from '@aquifer/wire/gen/aquifer/node_pb';
import { create } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import {
  namespaceObject,
  podObject,
  type RunningControlPlane,
  startTestControlPlane,
} from '../../fixtures/control-plane.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';

const METHOD = grpcMethods(NodeService).reportCapture;
const ENABLED = { 'ambient.istio.io/redirection': 'enabled' };
const OBJECTS = [
  namespaceObject('istio-system'),
  namespaceObject('shop'),
  podObject('istio-system', 'ztunnel-1', { account: 'ztunnel', uid: 'zt-1' }),
  podObject('shop', 'web'),
  podObject('shop', 'captured', { annotations: ENABLED }),
  podObject('shop', 'far', { node: 'n2' }),
];

function start(objects: readonly ApiObject[] = OBJECTS): Promise<RunningControlPlane> {
  return startTestControlPlane(objects, (api) => {
    const username = 'system:serviceaccount:istio-system:ztunnel';
    api.tokens.set('zt', { username, pod: { name: 'ztunnel-1', uid: 'zt-1' } });
    api.tokens.set('web', {
      username: 'system:serviceaccount:shop:default',
      pod: { name: 'web', uid: 'uid-web' },
    });
  });
}

interface Report {
  readonly pod: string;
  readonly state: CaptureState;
  readonly uid?: string;
  readonly node?: string;
  readonly token?: string;
}

async function report(plane: RunningControlPlane, given: Report): Promise<unknown[]> {
  const { pod, state, uid = `uid-${pod}`, node = 'n1', token = 'zt' } = given;
  const request = create(CaptureReportRequestSchema, {
    node,
    reports: [{ uid, namespace: 'shop', name: pod, state, reason: 'no netns yet' }],
  });
  await plane.call(METHOD, request, token);
  return plane.api.writes.filter(({ path }) => path.includes('/pods/')).map(({ body }) => body);
}

test.for([
  { state: CaptureState.CAPTURED, annotation: 'enabled', condition: 'True' },
  { state: CaptureState.PENDING, annotation: 'pending', condition: 'False' },
])(
  'a report becomes the annotation $annotation and a condition (P149, P151)',
  async ({ state, annotation, condition }) => {
    const plane = await start();
    expect(await report(plane, { pod: 'web', state })).toMatchObject([
      {
        metadata: { uid: 'uid-web', annotations: { 'ambient.istio.io/redirection': annotation } },
        status: { conditions: [{ type: 'ambient.istio.io/Captured', status: condition }] },
      },
    ]);
  },
);

test('a released pod loses annotation and condition (P151)', async () => {
  const patches = await report(await start(), { pod: 'captured', state: CaptureState.RELEASED });
  expect(patches).toEqual([
    {
      metadata: { uid: 'uid-captured', annotations: { 'ambient.istio.io/redirection': null } },
      status: { conditions: [{ type: 'ambient.istio.io/Captured', $patch: 'delete' }] },
    },
  ]);
});

test('an inventory takes back what was said of pods of its node that are not in it', async () => {
  const captured = { type: 'ambient.istio.io/Captured', status: 'True' };
  const marked = (name: string, node: string, conditions: readonly object[]): ApiObject => {
    const pod = podObject('shop', name, { annotations: ENABLED, node });
    return { ...pod, status: { ...(pod.status as object), conditions } };
  };
  const plane = await start([
    ...OBJECTS,
    marked('left', 'n1', [captured]),
    marked('stays', 'n1', [captured]),
    marked('elsewhere', 'n2', [captured]),
    marked('of-another-mesh', 'n1', []),
  ]);
  const request = create(CaptureReportRequestSchema, {
    node: 'n1',
    inventory: { uids: ['uid-stays'] },
  });
  await plane.call(METHOD, request, 'zt');
  const patched = plane.api.writes.filter(({ path }) => path.includes('/pods/'));
  expect(patched.map(({ path, body }) => [path, body])).toEqual([
    [
      '/api/v1/namespaces/shop/pods/left/status',
      {
        metadata: { uid: 'uid-left', annotations: { 'ambient.istio.io/redirection': null } },
        status: { conditions: [{ type: 'ambient.istio.io/Captured', $patch: 'delete' }] },
      },
    ],
  ]);
});

test('a report about a pod that was replaced writes nothing', async () => {
  const plane = await start();
  expect(await report(plane, { pod: 'web', uid: 'before', state: CaptureState.CAPTURED })).toEqual(
    [],
  );
});

test.for([
  { what: 'about a pod of another node', given: { pod: 'far' } },
  { what: 'in the name of another node', given: { pod: 'far', node: 'n2' } },
  { what: 'by a workload', given: { pod: 'web', token: 'web' } },
])('a report $what is refused', async ({ given }) => {
  const plane = await start();
  await expect(report(plane, { ...given, state: CaptureState.CAPTURED })).rejects.toMatchObject({
    code: status.PERMISSION_DENIED,
  });
});
