import type { Telemetry } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { parseMeshConfig } from '../mesh-config.ts';
import { type MergeContext, proxyTelemetry } from './proxy-telemetry.ts';

/** How what is said in several places comes together for one proxy (Istio docs "Telemetry"). */

const PROVIDERS = `
accessLogFile: /dev/stdout
extensionProviders:
- {name: One, envoyFileAccessLog: {path: /one}}
- {name: two, envoyFileAccessLog: {path: /two}}
- {name: gone, envoyOtelAls: {service: gone, port: 4317}}
- {name: als, envoyHttpAls: {service: als, port: 4319}}
- {name: zip, zipkin: {service: zip, port: 9411}}
- {name: otel, opentelemetry: {service: otel, port: 4317, maxTagLength: 9}}
- {name: dd, datadog: {service: dd, port: 8126}}
`;

type Spec = NonNullable<Telemetry['spec']>;
type Options = Partial<Pick<MergeContext, 'side'>> & {
  readonly mesh?: string;
  readonly role?: MergeContext['maker']['role'];
};

function merged(
  specs: readonly Spec[],
  { side = 'server', mesh = '', role = 'sidecar' }: Options = {},
) {
  const { telemetry, extensionProviders } = parseMeshConfig(PROVIDERS + mesh);
  const telemetries = specs.map((spec, i) => ({
    apiVersion: 'telemetry.istio.io/v1',
    kind: 'Telemetry',
    metadata: { name: `t-${i}` },
    spec,
  }));
  return proxyTelemetry(telemetries as unknown as Telemetry[], {
    side,
    mesh: telemetry,
    providers: extensionProviders,
    isKnown: ({ hostname }) => hostname !== 'gone',
    maker: {
      role,
      namespace: 'shop',
      canonicalService: 'cart',
      canonicalRevision: '',
      clusterId: 'Kubernetes',
      meshId: '',
    },
  });
}

/** Paths of files, with what is logged of them. */
function logsOf(accessLogging: readonly Spec['accessLogging'][], options?: Options): unknown[] {
  const specs = accessLogging.map((logging) => ({ accessLogging: logging }));
  return merged(specs, options).logs.map(({ provider, expression }) => {
    const place = provider.kind === 'file' ? provider.path : provider.kind;
    return expression === null ? place : [place, expression];
  });
}

const to = (...names: string[]) => ({ providers: names.map((name) => ({ name })) });
const CODE = { filter: { expression: 'response.code > 399' } };

test.for<{
  readonly what: string;
  readonly said: readonly Spec['accessLogging'][];
  readonly options?: Options;
  readonly logs: unknown[];
}>([
  { what: 'nothing', said: [], logs: ['/dev/stdout'] },
  {
    what: 'a default provider',
    said: [],
    options: { mesh: 'defaultProviders: {accessLogging: [two]}' },
    logs: ['/two'],
  },
  {
    what: 'a provider, whose name is compared without regard to case',
    said: [[to('one')]],
    logs: ['/one'],
  },
  { what: 'several', said: [[to('two', 'one')]], logs: ['/one', '/two'] },
  { what: 'another in a narrower place', said: [[to('one')], [to('two')]], logs: ['/two'] },
  { what: 'one that is turned off', said: [[{ ...to('one'), disabled: true }]], logs: [] },
  {
    what: 'one that is turned off in a narrower place',
    said: [[to('one', 'two')], [{ ...to('one'), disabled: true }]],
    logs: [],
  },
  {
    what: 'one of two that is turned off there',
    said: [[to('one', 'two'), { ...to('one'), disabled: true }]],
    logs: ['/two'],
  },
  {
    what: 'that all are off, where none is known',
    said: [[{ disabled: true }]],
    logs: ['/dev/stdout'],
  },
  {
    what: 'that the default is off',
    said: [[{ disabled: true }]],
    options: { mesh: 'defaultProviders: {accessLogging: [one]}' },
    logs: [],
  },
  {
    what: 'clients only, to a server',
    said: [[{ match: { mode: 'CLIENT' }, ...to('one') }]],
    logs: ['/dev/stdout'],
  },
  {
    what: 'clients only, to a client',
    said: [[{ match: { mode: 'CLIENT' }, ...to('one') }]],
    options: { side: 'client' },
    logs: ['/one'],
  },
  {
    what: 'an expression',
    said: [[{ ...to('one'), ...CODE }]],
    logs: [['/one', 'response.code > 399']],
  },
  {
    what: 'an expression that is none',
    said: [[{ ...to('one'), filter: { expression: '(' } }]],
    logs: [],
  },
  { what: 'one whose service is not there', said: [[to('gone')]], logs: ['/dev/stdout'] },
  { what: 'one that nobody knows', said: [[to('nobody')]], logs: ['/dev/stdout'] },
  { what: 'one of metrics', said: [[to('prometheus')]], logs: ['/dev/stdout'] },
  {
    what: 'what a waypoint does not write, to a waypoint',
    said: [[to('als', 'one')]],
    options: { role: 'waypoint' },
    logs: [],
  },
  { what: 'the same to a sidecar', said: [[to('als', 'one')]], logs: ['/one', 'streamed'] },
])('of what is logged is said: $what', ({ said, options, logs }) => {
  expect(logsOf(said, options)).toEqual(logs);
});

function tracingOf(tracing: readonly NonNullable<Spec['tracing']>[], options?: Options) {
  return merged(
    tracing.map((said) => ({ tracing: said })),
    options,
  ).tracing;
}

test('traces are as the narrowest place says, field by field', () => {
  const wide = {
    ...to('zip'),
    randomSamplingPercentage: 10,
    customTags: { a: { literal: { value: 'b' } } },
  };
  const narrow = {
    randomSamplingPercentage: 0,
    useRequestIdForTraceSampling: false,
    enableIstioTags: false,
  };
  expect(tracingOf([[wide], [narrow]])).toMatchObject({
    tracer: { kind: 'zipkin' },
    samplingPercent: 0,
    customTags: { a: { kind: 'literal', value: 'b' } },
    sampledBy: 'chance',
    istioTags: 'left-out',
    contexts: 'passed-on',
  });
});

test('what no Telemetry says of traces the configuration of the mesh says', () => {
  const mesh =
    'defaultProviders: {tracing: [otel]}\ndefaultConfig: {tracing: {sampling: 42, customTags: {c: {header: {name: x}}}}}';
  expect(tracingOf([], { mesh })).toMatchObject({
    tracer: { kind: 'opentelemetry' },
    samplingPercent: 42,
    maxTagLength: 9,
    customTags: { c: { kind: 'header', name: 'x' } },
    istioTags: 'added',
  });
});

test.for<[string, NonNullable<Spec['tracing']>]>([
  ['nobody is told', [{ randomSamplingPercentage: 100 }]],
  ['reports are turned off', [{ ...to('zip'), disableSpanReporting: true }]],
  ['the other side is meant', [{ ...to('zip'), match: { mode: 'CLIENT' } }]],
  ['the provider is of a kind that is not spoken to', [to('dd')]],
  ['the provider takes logs', [to('one')]],
])('no spans are made where %s', ([, tracing]) => {
  expect(tracingOf([tracing])).toBeNull();
});

function metricsOf(metrics: readonly NonNullable<Spec['metrics']>[], options: Options = {}) {
  const specs = metrics.map((said) => ({ metrics: said }));
  return merged(specs, { role: 'waypoint', ...options }).metrics;
}

const PROMETHEUS = to('prometheus');
const DROP = { disabled: true };

test.for(['constructor', '__proto__'])(
  'a metric of the name %s is one like any other',
  (customMetric) => {
    const rules = metricsOf([
      [{ ...PROMETHEUS, overrides: [{ match: { customMetric }, ...DROP }] }],
    ])?.rules;
    expect(rules).toEqual([
      { metric: customMetric, isDropped: true, labels: {}, removedLabels: [] },
    ]);
  },
);

test('rules of metrics are laid over each other, sorted, by the names of Prometheus', () => {
  const wide = {
    ...PROMETHEUS,
    reportingInterval: '5s',
    overrides: [{ tagOverrides: { a: { value: "'1'" }, b: { operation: 'REMOVE' as const } } }],
  };
  const narrow = {
    overrides: [
      {
        match: { metric: 'REQUEST_SIZE' as const },
        ...DROP,
        tagOverrides: { b: { value: "'2'" } },
      },
    ],
  };
  const rules = metricsOf([[wide], [narrow]])?.rules;
  expect(rules).toHaveLength(10);
  expect(rules?.[0]).toEqual({
    metric: 'request_messages_total',
    isDropped: false,
    labels: { a: "'1'" },
    removedLabels: ['b'],
  });
  expect(rules).toContainEqual({
    metric: 'request_bytes',
    isDropped: true,
    labels: { a: "'1'", b: "'2'" },
    removedLabels: [],
  });
});

test.for<[string, readonly NonNullable<Spec['metrics']>[], unknown]>([
  [
    'all are turned off',
    [[{ ...PROMETHEUS, overrides: [DROP] }]],
    { reportingInterval: null, rules: 'none' },
  ],
  [
    'all are turned off of the other side',
    [[{ ...PROMETHEUS, overrides: [{ match: { mode: 'CLIENT' }, ...DROP }] }]],
    { reportingInterval: null, rules: [] },
  ],
  [
    'a narrower place counts one again',
    [
      [{ ...PROMETHEUS, overrides: [DROP] }],
      [{ overrides: [{ match: { customMetric: 'mine' } }] }],
    ],
    {
      reportingInterval: null,
      rules: [{ metric: 'mine', isDropped: false, labels: {}, removedLabels: [] }],
    },
  ],
  ['only a provider is named', [[PROMETHEUS]], { reportingInterval: null, rules: [] }],
  ['another provider is named', [[to('one')]], null],
  ['nothing is said', [], null],
])('where %s', ([, said, metrics]) => {
  expect(metricsOf(said)).toEqual(metrics);
});

test('sidecars count no metrics of Istio', () => {
  expect(metricsOf([[PROMETHEUS]], { role: 'sidecar' })).toBeNull();
});
