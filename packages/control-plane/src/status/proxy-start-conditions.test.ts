import { expect, test } from 'vitest';
import { proxyStartWishes } from './proxy-start-conditions.ts';
import { type WrittenObject, writtenAbout } from './written.fixture.ts';

const CLASS = {
  kind: 'GatewayClass',
  metadata: { name: 'istio-waypoint' },
  spec: { controllerName: 'istio.io/mesh-controller' },
};

const INJECTED = {
  kind: 'Pod',
  metadata: {
    namespace: 'shop',
    name: 'injected',
    annotations: { 'sidecar.istio.io/status': '{}' },
  },
};

function config(spec: object, namespace = 'shop', conditions: readonly object[] = []) {
  const metadata = { namespace, name: 'x', generation: 2 };
  return { kind: 'ProxyConfig', metadata, spec, status: { conditions } };
}

function gateway(annotation: string, gatewayClassName = 'istio-waypoint') {
  const annotations = { 'proxy.istio.io/config': annotation };
  const metadata = { namespace: 'shop', name: 'waypoint', annotations };
  return { kind: 'Gateway', metadata, spec: { gatewayClassName, listeners: [] } };
}

function messages(...objects: readonly WrittenObject[]): unknown[] {
  const written = writtenAbout([CLASS, ...objects], ({ graph, cluster, mesh }) =>
    proxyStartWishes(graph, cluster, mesh, 'default'),
  );
  return written.map((body) => {
    const { status } = body as { status: { conditions: { message: string }[] } };
    return status.conditions.map(({ message }) => message);
  });
}

test('of one that is followed nothing is said', () => {
  expect(messages(config({ concurrency: 2 }), gateway('concurrency: 2'))).toEqual([]);
});

test('of a ProxyConfig it is said what waypoints do not do', () => {
  const spec = { image: { imageType: 'debug' } };
  expect(messages(config(spec))).toEqual([['image.imageType: proxies of one kind have one image']]);
});

test.for(['shop', 'istio-system'])(
  'of one in %s it is said that sidecars do not follow it',
  (at) => {
    expect(messages(config({ concurrency: 2 }, at), INJECTED)).toEqual([
      [
        expect.stringContaining(
          'only waypoints and gateways that the control plane deploys follow it',
        ),
      ],
    ]);
  },
);

test('of one in a namespace without sidecars nothing is said of those', () => {
  expect(messages(config({ concurrency: 2 }, 'other'), INJECTED)).toEqual([]);
});

test('what was said before is taken back', () => {
  const stored = [{ type: 'aquifer.io/Started', status: 'False' }];
  expect(messages(config({ concurrency: 2 }, 'shop', stored))).toEqual([[]]);
});

test('what the annotation of a waypoint says that is not followed is told at its Gateway', () => {
  expect(messages(gateway('{concurrency: 2, drainDuration: 5s}'))).toEqual([
    ['annotation proxy.istio.io/config: drainDuration is not followed'],
  ]);
  expect(messages(gateway('drainDuration: 5s', 'somebody-else'))).toEqual([]);
});
