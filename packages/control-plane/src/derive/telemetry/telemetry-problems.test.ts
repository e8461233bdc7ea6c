import type { Telemetry } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { parseMeshConfig } from '../mesh-config.ts';
import { followersOf, type ProblemContext, telemetryProblems } from './telemetry-problems.ts';

const MESH = `
extensionProviders:
- {name: lines, envoyFileAccessLog: {}}
- {name: file, envoyFileAccessLog: {path: /var/log/a}}
- {name: als, envoyHttpAls: {service: als, port: 4319}}
- {name: gone, zipkin: {service: gone, port: 9411}}
- {name: zip, zipkin: {service: zip, port: 9411}}
- {name: dd, datadog: {service: dd, port: 8126}}
`;

function problemsOf(
  spec: Telemetry['spec'],
  more: Partial<ProblemContext> = {},
): readonly string[] {
  const { telemetry: mesh, extensionProviders: providers } = parseMeshConfig(MESH);
  const object = { metadata: { namespace: 'shop', name: 'x' }, spec } as unknown as Telemetry;
  return telemetryProblems(object, {
    mesh,
    providers,
    isKnown: ({ hostname }) => hostname !== 'gone',
    followers: followersOf(object),
    older: null,
    hasTarget: (_kind, name) => name === 'cart',
    ...more,
  });
}

const to = (...names: string[]) => ({ providers: names.map((name) => ({ name })) });
const CART = [{ kind: 'Service', name: 'cart' }];

test.for<{ readonly spec: Telemetry['spec']; readonly problems: readonly string[] }>([
  {
    spec: { accessLogging: [to('lines')], tracing: [to('zip')], metrics: [to('prometheus')] },
    problems: [],
  },
  {
    spec: {
      targetRefs: [...CART, { kind: 'Service', name: 'none' }, { kind: 'Pod', name: 'cart' }],
    },
    problems: [
      'targetRefs[1]: Service none not found',
      'targetRefs[2]: nothing is attached to a Pod',
    ],
  },
  {
    spec: { selector: { matchLabels: { 'gateway.networking.k8s.io/gateway-name': 'waypoint' } } },
    problems: ['selector: does not reach waypoints; name the Gateway in targetRefs'],
  },
  {
    spec: { accessLogging: [{ disabled: true }, {}] },
    problems: [
      'accessLogging[0].disabled: turns nothing off, since no provider is named and the mesh has no default one; name the provider envoy',
      'accessLogging[1]: names no provider, and the mesh has no default one: it has no effect',
    ],
  },
  {
    spec: { accessLogging: [{ ...to('lines'), filter: { expression: 'response.code >' } }] },
    problems: [
      'accessLogging[0].filter.expression: is no expression of CEL: Unexpected token: EOF; nothing is logged',
    ],
  },
  {
    spec: { accessLogging: [{ ...to('lines'), filter: { expression: 'reply.code > 1' } }] },
    problems: [
      'accessLogging[0].filter.expression: there is no attribute reply; what asks for it has no value',
    ],
  },
  {
    spec: { targetRefs: CART, accessLogging: [to('als', 'file', 'nobody', 'zip')] },
    problems: [
      'accessLogging[0].providers[0]: als: waypoints stream no entries; use envoyOtelAls instead',
      'accessLogging[0].providers[1]: file: waypoints write to /dev/stdout and /dev/stderr only, not to /var/log/a',
      "accessLogging[0].providers[2]: nobody is no telemetry provider of extensionProviders in the mesh's configuration",
      'accessLogging[0].providers[3]: zip: takes no access logs',
    ],
  },
  {
    spec: { selector: { matchLabels: { app: 'cart' } }, accessLogging: [to('als', 'file')] },
    problems: [],
  },
  {
    spec: { tracing: [to('gone'), to('dd'), { ...to('zip', 'gone'), customTags: { a: {} } }] },
    problems: [
      'tracing[0].providers[0]: gone: there is no single service gone in the mesh',
      'tracing[1].providers[0]: dd: takes no spans of this mesh: they go to providers zipkin and opentelemetry',
      'tracing[2].providers: of several providers only the first counts',
      'tracing[2].customTags[a]: names no source of its value',
    ],
  },
  {
    spec: {
      targetRefs: CART,
      metrics: [
        {
          ...to('prometheus'),
          overrides: [
            {
              match: { customMetric: 'mine' },
              tagOverrides: { a: {}, b: { value: '(' }, c: { operation: 'REMOVE' } },
            },
          ],
        },
      ],
    },
    problems: [
      'metrics[0].overrides[0].match.customMetric: no proxy of this mesh has a metric mine',
      'metrics[0].overrides[0].tagOverrides[a].value: is missing; to take the label away, say operation REMOVE',
      'metrics[0].overrides[0].tagOverrides[b].value: is no expression of CEL: Unexpected token: EOF; its value is always unknown',
    ],
  },
  {
    spec: {
      selector: { matchLabels: { app: 'cart' } },
      metrics: [{ ...to('prometheus'), overrides: [{ disabled: true }] }],
    },
    problems: [
      "metrics[0].overrides: only waypoints follow them; sidecars and gateways of this mesh count none of Istio's metrics",
    ],
  },
])('of $spec it is said: $problems', ({ spec, problems }) => {
  expect(problemsOf(spec)).toEqual(problems);
});

test('a second one for the whole namespace has no effect, and names the one that has', () => {
  expect(problemsOf({ accessLogging: [to('lines')] }, { older: 'first' })).toEqual([
    'spec: has no effect, since Telemetry first is for the whole namespace too and is older',
  ]);
});
