/** `spec.tls.frontend`: certificates that a Gateway asks of clients. */
import { readFileSync } from 'node:fs';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { fromBinary, toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { messageRegistry } from '../../../../../test/fixtures/message-registry.ts';
import { TestCluster, type TestObject } from '../derivation.fixture.ts';
import { base, FROM_ALL, FRONT, gateway, object, servedToFront } from './gateway-api.fixture.ts';
import type { GatewayListener } from './gateway-listener.ts';

const registry = await messageRegistry();

const OBJECTS = new URL(
  '../../../../../test/fixtures/golden/l7/21-gwapi-gateway/objects.json',
  import.meta.url,
);
const { data: PAIR } = (JSON.parse(readFileSync(OBJECTS, 'utf8')) as TestObject[]).find(
  ({ kind }) => kind === 'Secret',
) as unknown as { readonly data: Readonly<Record<string, string>> };
const ROOTS = Buffer.from(PAIR['tls.crt']!, 'base64').toString();

const https = (port: number, options: object = {}) => ({
  name: `https-${port}`,
  port,
  protocol: 'HTTPS',
  tls: { certificateRefs: [{ name: 'own' }], ...options },
  ...FROM_ALL,
});
const HTTP = { name: 'web', port: 80, protocol: 'HTTP', ...FROM_ALL };
const configMap = (key: string, data: object) => object('RootConfigMap', key, {}, { data });
const asking = (name: string, more: object = {}) => ({
  validation: { caCertificateRefs: [{ group: '', kind: 'ConfigMap', name, ...more }] },
});

const ROUTE = object('HTTPRoute', 'shop/r', {
  parentRefs: [FRONT],
  rules: [{ backendRefs: [{ name: 'cart', port: 80 }] }],
});

function clusterWith(frontend: object, ...objects: readonly TestObject[]): TestCluster {
  const listeners = [HTTP, https(443), https(8443)];
  return new TestCluster([
    ...base([80, 443, 8443]),
    gateway(listeners, { tls: { frontend } }),
    object('Secret', 'edge/own', {}, { data: PAIR }),
    ROUTE,
    configMap('edge/ca', { 'ca.crt': ROOTS }),
    ...objects,
  ]);
}

/** What is required of clients at each port, and by whose word; null where nothing is. */
function requiredAt(cluster: TestCluster): Record<string, unknown> {
  const { listeners } = servedToFront(cluster);
  const said = Array.from(listeners.values(), ({ name, bytes }) => {
    const text = JSON.stringify(
      toJson(ListenerSchema, fromBinary(ListenerSchema, bytes), { registry }),
    );
    const requires = text.includes('"requireClientCertificate":true');
    return [name, requires ? /configmap:\/\/[^"]*/.exec(text)?.[0] : null];
  });
  return Object.fromEntries(said);
}

function listenersOf(cluster: TestCluster): readonly GatewayListener[] {
  return cluster.derivation.routing.gatewayApi.gateways.get('edge/front')!.listeners;
}

test('HTTPS listeners ask clients for certificates of the default authority, or of that of their port, others do not (L125)', () => {
  const frontend = {
    default: asking('ca'),
    perPort: [{ port: 8443, tls: asking('other') }],
  };
  const cluster = clusterWith(frontend, configMap('edge/other', { 'ca.crt': ROOTS }));
  expect(requiredAt(cluster)).toMatchObject({
    '0.0.0.0_80': null,
    '0.0.0.0_443': 'configmap://edge/ca-cacert',
    '0.0.0.0_8443': 'configmap://edge/other-cacert',
  });
});

test('a port of which nothing is said asks nobody, whatever the default', () => {
  const frontend = { default: asking('ca'), perPort: [{ port: 8443, tls: {} }] };
  expect(requiredAt(clusterWith(frontend))['0.0.0.0_8443']).toBe(null);
});

test.for([
  {
    what: 'a kind that holds no authorities',
    tls: asking('ca', { kind: 'Secret' }),
    reason: 'InvalidCACertificateKind',
  },
  { what: 'one that is not there', tls: asking('no'), reason: 'InvalidCACertificateRef' },
  { what: 'one without authorities', tls: asking('empty'), reason: 'InvalidCACertificateRef' },
  {
    what: 'one of another namespace that grants nothing',
    tls: asking('theirs', { namespace: 'shop' }),
    reason: 'RefNotPermitted',
  },
])('a listener whose authority is $what lets nobody in, and HTTP goes on', ({ tls, reason }) => {
  const cluster = clusterWith(
    { default: tls },
    configMap('edge/empty', { other: 'x' }),
    configMap('shop/theirs', { 'ca.crt': ROOTS }),
  );
  const problems = { Accepted: { reason: 'NoValidCACertificate' }, ResolvedRefs: { reason } };
  expect(listenersOf(cluster)).toMatchObject([{ problems: {} }, { problems }, { problems }]);
  expect(listenersOf(cluster)[0]?.problems).toEqual({});
  expect(Object.keys(requiredAt(cluster)).sort()).toEqual(['0.0.0.0_80', 'connect_originate']);
});

test('an authority of another namespace counts as soon as that grants it', () => {
  const tls = asking('theirs', { namespace: 'shop' });
  const cluster = clusterWith({ default: tls }, configMap('shop/theirs', { 'ca.crt': ROOTS }));
  cluster.put(
    object('ReferenceGrant', 'shop/edge', {
      from: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', namespace: 'edge' }],
      to: [{ group: '', kind: 'ConfigMap' }],
    }),
  );
  expect(requiredAt(cluster)['0.0.0.0_443']).toBe('configmap://shop/theirs-cacert');
});

test.for([
  {
    what: 'anybody is let in whose certificate is bad',
    frontend: {
      default: {
        validation: { ...asking('ca').validation, mode: 'AllowInsecureFallback' },
      },
    },
  },
  {
    what: 'several authorities are believed',
    frontend: {
      default: {
        validation: {
          caCertificateRefs: ['ca', 'ca'].map((name) => ({ group: '', kind: 'ConfigMap', name })),
        },
      },
    },
  },
])('that $what is not supported: such listeners are closed and say so', ({ frontend }) => {
  const cluster = clusterWith(frontend);
  expect(listenersOf(cluster)[1]?.problems).toMatchObject({
    Accepted: { reason: 'UnsupportedValue' },
  });
  expect(Object.keys(requiredAt(cluster)).sort()).toEqual(['0.0.0.0_80', 'connect_originate']);
});

test('what the listener asks of clients by itself does not go with what its Gateway asks', () => {
  const mode = { options: { 'gateway.istio.io/tls-terminate-mode': 'MUTUAL' } };
  const cluster = clusterWith({ default: asking('ca') });
  cluster.put(gateway([https(443, mode)], { tls: { frontend: { default: asking('ca') } } }));
  expect(listenersOf(cluster)[0]?.problems).toMatchObject({
    Accepted: { reason: 'UnsupportedValue' },
  });
});
