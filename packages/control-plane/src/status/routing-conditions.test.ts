import { expect, test } from 'vitest';
import { SETTINGS } from '../derive/derivation.fixture.ts';
import { Derivation } from '../derive/derivation.ts';
import { recordedObjects } from '../derive/l7/recorded-waypoint.fixture.ts';
import { keyOf } from '../ingest/cluster-inputs.ts';
import { WATCHED_KINDS, type WatchedKind } from '../ingest/kinds.ts';
import { routingWishes } from './routing-conditions.ts';

/** In the namespace of a waypoint that is ready, and of cart, which is attached to it. */
const BASE = recordedObjects('11-vs-waypoint')
  .filter(({ kind }) => kind !== 'VirtualService' && kind !== 'DestinationRule')
  .map((object) =>
    object.kind === 'Gateway'
      ? { ...object, status: { addresses: [{ type: 'IPAddress', value: '10.96.0.60' }] } }
      : object,
  );
const CLASS = {
  kind: 'GatewayClass',
  metadata: { name: 'istio-waypoint' },
  spec: { controllerName: 'istio.io/mesh-controller' },
};

/** What is said of the object, by message; `stored` is what its status says already. */
function messagesOf(kind: string, spec: object, stored: readonly object[] = []): unknown[] {
  const { graph, cluster, mesh } = new Derivation(SETTINGS, (collection, key, error) => {
    throw new Error(`${collection} ${key}: ${error}`);
  });
  const wishes = routingWishes(graph, cluster, mesh);
  const metadata = { namespace: 'shop', name: 'x', generation: 3, resourceVersion: '1' };
  const object = { kind, metadata, spec, status: { conditions: stored } };
  for (const each of [...BASE, CLASS, object]) {
    if (!(each.kind in WATCHED_KINDS)) continue;
    cluster.anyOf(each.kind as WatchedKind).set(keyOf(each as never), each as never);
  }
  graph.settle();
  return Array.from(wishes.entries(), ([, { write }]) => {
    if (write.verb !== 'apply') throw new Error(`a status is not written by ${write.verb}`);
    const { status } = write.body as { status: { conditions: { message: string }[] } };
    return status.conditions.map(({ message }) => message);
  });
}

const TO_CART = { route: [{ destination: { host: 'cart' } }] };

test.for([
  { what: 'that a waypoint can follow', http: [TO_CART], messages: [] },
  {
    what: 'with a match of clients',
    http: [{ match: [{ sourceLabels: { app: 'web' } }], ...TO_CART }],
    messages: [
      ['http[0].match[0]: sourceLabels cannot be told at a waypoint; the match is left out'],
    ],
  },
  {
    what: 'with a pattern that is none, and a delegate that is not there',
    http: [
      { match: [{ uri: { regex: '(' } }], ...TO_CART },
      { delegate: { name: 'gone', namespace: 'parts' } },
    ],
    messages: [
      [
        'http[0].match[0]: "(" is no regular expression of RE2; the match is left out. http[1].delegate: there is no VirtualService parts/gone without hosts that is exported to shop',
      ],
    ],
  },
  {
    what: 'that sets what no proxy may',
    http: [{ headers: { request: { set: { 'Transfer-Encoding': 'x' } } }, ...TO_CART }],
    messages: [
      ['http[0]: header "Transfer-Encoding" is not for a route to set; requests are answered 500'],
    ],
  },
])('of a VirtualService $what it is said', ({ http, messages }) => {
  expect(messagesOf('VirtualService', { hosts: ['cart'], http })).toEqual(messages);
});

test('of a VirtualService that no waypoint follows nothing is said', () => {
  const http = [{ match: [{ sourceLabels: { app: 'web' } }], ...TO_CART }];
  expect(messagesOf('VirtualService', { hosts: ['stock'], http })).toEqual([]);
  const gateways = ['edge/gw'];
  expect(messagesOf('VirtualService', { hosts: ['cart'], gateways, http })).toEqual([]);
});

test('of thousands of problems the first are said, and how many more there are', () => {
  const http = Array.from({ length: 5000 }, () => ({ delegate: { name: 'gone' } }));
  const [[message]] = messagesOf('VirtualService', { hosts: ['cart'], http }) as [[string]];
  expect(message).toMatch(/^http\[0\]\.delegate: .*\. And 4980 more like these$/);
  expect(message.length).toBeLessThan(4000);
});

test('what was said and does not hold any more is taken back', () => {
  const stored = [{ type: 'WaypointAccepted', status: 'False', reason: 'x', message: 'y' }];
  expect(messagesOf('VirtualService', { hosts: ['cart'], http: [TO_CART] }, stored)).toEqual([[]]);
});

test.for([
  { spec: { trafficPolicy: { loadBalancer: { simple: 'RANDOM' } } }, message: null },
  {
    spec: { trafficPolicy: { loadBalancer: { localityLbSetting: { enabled: true } } } },
    message:
      'trafficPolicy.loadBalancer.localityLbSetting: endpoints of all localities are used alike',
  },
  {
    spec: { subsets: [{ name: 'a', trafficPolicy: { proxyProtocol: { version: 'V1' } } }] },
    message:
      'subsets[0].trafficPolicy.proxyProtocol: waypoints of this mesh write no PROXY header and refuse it',
  },
  {
    spec: { workloadSelector: { matchLabels: { app: 'web' } }, trafficPolicy: { tunnel: {} } },
    message: 'workloadSelector: rules for chosen clients are not followed at a waypoint',
  },
])('of a DestinationRule it is said: $message', ({ spec, message }) => {
  const said = messagesOf('DestinationRule', { host: 'cart', ...spec });
  expect(said).toEqual(message === null ? [] : [[message]]);
});
