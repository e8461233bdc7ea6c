import { expect, test } from 'vitest';
import { RECORDED_MESH, recordedObjects } from '../derive/l7/recorded-waypoint.fixture.ts';
import { telemetryWishes } from './telemetry-conditions.ts';
import { type WrittenObject, writtenAbout } from './written.fixture.ts';

/** Two services with a waypoint, and the service that providers of the mesh's configuration name. */
const BASE = [
  ...recordedObjects('27-telemetry-waypoint')
    .filter(({ kind }) => kind !== 'Telemetry')
    .map((one) =>
      one.kind === 'Gateway'
        ? { ...one, status: { addresses: [{ type: 'IPAddress', value: '10.96.0.90' }] } }
        : one,
    ),
  RECORDED_MESH,
  {
    kind: 'GatewayClass',
    metadata: { name: 'istio-waypoint' },
    spec: { controllerName: 'istio.io/mesh-controller' },
  },
];

const INJECTED = {
  kind: 'Pod',
  metadata: {
    namespace: 'shop',
    name: 'injected',
    annotations: { 'sidecar.istio.io/status': '{}' },
  },
};

interface Said {
  readonly namespace?: string;
  readonly name?: string;
  readonly createdAt?: string;
  readonly stored?: readonly object[];
}

function telemetry(
  spec: object,
  { namespace = 'shop', name = 'x', createdAt, stored = [] }: Said = {},
) {
  return {
    kind: 'Telemetry',
    metadata: {
      namespace,
      name,
      generation: 3,
      creationTimestamp: createdAt ?? '2026-01-02T00:00:00Z',
    },
    spec,
    status: { conditions: stored },
  };
}

/** What is said of each Telemetry that there is something to say of, by name. */
function conditionsOf(...objects: readonly object[]): Record<string, unknown> {
  const written = writtenAbout([...BASE, ...objects] as readonly WrittenObject[], (derivation) =>
    telemetryWishes(derivation.graph, derivation.cluster, derivation.mesh),
  );
  const said = written.map((body) => {
    const { metadata, status } = body as {
      readonly metadata: { readonly name: string };
      readonly status: { readonly conditions: readonly object[] };
    };
    return [metadata.name, status.conditions] as const;
  });
  return Object.fromEntries(said);
}

const to = (name: string) => ({ providers: [{ name }] });

test('of a Telemetry that is followed as it is written nothing is said', () => {
  const spec = {
    accessLogging: [to('json-log')],
    tracing: [to('zip')],
    metrics: [to('prometheus')],
  };
  expect(conditionsOf(telemetry(spec))).toEqual({});
});

test('what is not followed is named by its field', () => {
  expect(conditionsOf(telemetry({ tracing: [to('nobody')] }))).toEqual({
    x: [
      expect.objectContaining({
        type: 'aquifer.io/Followed',
        status: 'False',
        reason: 'UnsupportedValue',
        message:
          "tracing[0].providers[0]: nobody is no telemetry provider of extensionProviders in the mesh's configuration",
        observedGeneration: '3',
      }),
    ],
  });
});

test('what was said before is taken back', () => {
  const stored = [{ type: 'aquifer.io/Followed', status: 'False' }];
  expect(conditionsOf(telemetry({ accessLogging: [to('json-log')] }, { stored }))).toEqual({
    x: [],
  });
});

test('only where there is a waypoint it is said what waypoints do not write', () => {
  const spec = { accessLogging: [to('grpc-log')] };
  expect(conditionsOf(telemetry(spec))).toMatchObject({
    x: [{ message: expect.stringContaining('waypoints stream no entries') }],
  });
  expect(conditionsOf(telemetry(spec, { namespace: 'ext' }))).toEqual({});
});

test('only where there is a sidecar it is said what sidecars do not count', () => {
  const spec = { metrics: [{ ...to('prometheus'), overrides: [{ disabled: true }] }] };
  expect(conditionsOf(telemetry(spec))).toEqual({});
  expect(conditionsOf(telemetry(spec), INJECTED)).toMatchObject({
    x: [{ message: expect.stringContaining('only waypoints follow them') }],
  });
});

test('of two for the whole namespace the younger one has no effect', () => {
  const spec = { accessLogging: [to('json-log')] };
  const older = telemetry(spec, { name: 'older', createdAt: '2026-01-01T00:00:00Z' });
  expect(conditionsOf(telemetry(spec), older)).toMatchObject({
    x: [{ message: expect.stringContaining('Telemetry older is for the whole namespace') }],
  });
});
