import { expect, test } from 'vitest';
import {
  namespaceObject,
  type RunningControlPlane,
  startTestControlPlane,
} from '../../fixtures/control-plane.ts';
import { eventually } from '../../fixtures/eventually.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';
import { GATEWAY_CLASS } from '../../fixtures/waypoint-process.ts';

/** What is written for Gateways of the class of waypoints, and about them. */
const VERSION = 'gateway.istio.io/controller-version';

interface Given {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly listener?: object;
}

function gateway(name: string, { annotations = {}, listener = {} }: Given = {}): ApiObject {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { namespace: 'shop', name, uid: name, annotations },
    spec: {
      gatewayClassName: 'istio-waypoint',
      listeners: [{ name: 'mesh', port: 15_008, protocol: 'HBONE', ...listener }],
    },
  };
}

const start = (...gateways: ApiObject[]) =>
  startTestControlPlane([namespaceObject('shop'), GATEWAY_CLASS, ...gateways]);

/** What was written to the path, in order. */
function written({ api }: RunningControlPlane, path: string) {
  return api.writes.filter((write) => write.path.endsWith(path)).map(({ body }) => body);
}

test('a listener that is not of HBONE is refused in the status, which says what is expected (P129)', async () => {
  const plane = await start(gateway('waypoint', { listener: { port: 1234, protocol: 'HTTP' } }));
  const path = '/gateways/waypoint/status';
  await eventually(() => written(plane, path).length > 0);
  expect(written(plane, path)[0]).toMatchObject({
    status: {
      listeners: [
        {
          name: 'mesh',
          supportedKinds: [{ kind: 'HTTPRoute' }, { kind: 'GRPCRoute' }],
          conditions: expect.arrayContaining([
            expect.objectContaining({
              type: 'Accepted',
              status: 'False',
              reason: 'UnsupportedProtocol',
              message: 'Expected a single listener on port 15008 with protocol "HBONE"',
            }),
          ]),
        },
      ],
    },
  });
});

test('a Gateway is marked with the version that made it, once, and one of a newer version is left alone (P138)', async () => {
  const versioned = (name: string, version: string) =>
    gateway(name, { annotations: { [VERSION]: version } });
  const old = versioned('old', '1');
  const plane = await start(gateway('new'), old, versioned('known', '5'), versioned('newer', '10'));
  const names = ['new', 'old', 'known'];
  await eventually(() => names.every((name) => written(plane, `/deployments/${name}`).length > 0));
  const marks = (name: string) =>
    written(plane, `/gateways/${name}`).map(
      ({ metadata }) => (metadata as { annotations: Record<string, string> }).annotations,
    );
  await eventually(() => marks('old').length > 0);
  expect([marks('new'), marks('old')]).toEqual([[{ [VERSION]: '5' }], [{ [VERSION]: '5' }]]);
  expect(marks('known')).toEqual([]);
  expect(plane.api.writes.filter(({ path }) => path.includes('/newer'))).toEqual([]);
  // What was written comes back, and is no reason to write again.
  plane.api.put({ ...old, metadata: { ...old.metadata, annotations: { [VERSION]: '5' } } });
  plane.api.put({
    ...gateway('known'),
    metadata: { ...gateway('known').metadata, annotations: { [VERSION]: '5', team: 'x' } },
  });
  await eventually(
    () =>
      plane.app.publisher.current?.cluster.get('Gateway', 'shop', 'known')?.metadata.annotations
        ?.team,
  );
  expect([marks('old').length, marks('known').length]).toEqual([1, 0]);
});
