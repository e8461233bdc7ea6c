/** Who is served which Secret (spec l7 7.4). */
import { readFileSync } from 'node:fs';
import {
  type CertificateValidationContext,
  type Secret,
  SecretSchema,
} from '@aquifer/wire/gen/envoy/extensions/transport_sockets/tls/v3_pb';
import { fromBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { ServedResources } from '../../../push/served-resources.ts';
import { TestCluster, type TestObject } from '../../derivation.fixture.ts';
import { base, FROM_ALL, gateway, object } from '../../gateway-api/gateway-api.fixture.ts';

const OBJECTS = new URL(
  '../../../../../../test/fixtures/golden/l7/21-gwapi-gateway/objects.json',
  import.meta.url,
);
const { data: PAIR } = (JSON.parse(readFileSync(OBJECTS, 'utf8')) as TestObject[]).find(
  ({ kind }) => kind === 'Secret',
) as unknown as { readonly data: Readonly<Record<string, string>> };

function secret(key: string, data: object = PAIR): TestObject {
  return object('Secret', key, {}, { data });
}

interface Client {
  readonly account?: string;
  readonly verdict?: 'allowed' | 'refused';
}

/** What a gateway with that account is served; its pod is the one of the base. */
function servedTo(
  { account = 'front-istio', verdict }: Client,
  objects: readonly TestObject[],
): ReadonlyMap<string, Secret> {
  const { derivation } = new TestCluster(objects);
  const id = 'router';
  derivation.proxies.set(id, {
    type: 'router',
    namespace: 'edge',
    podName: 'front-istio-0',
    account,
    meshId: '',
    labels: { istio: 'ingress' },
    addresses: ['10.1.0.7'],
    locality: null,
    inboundTunnels: 'none',
  });
  if (verdict !== undefined) derivation.secretReaders.set(`edge/${account}`, verdict);
  derivation.settle();
  const served = new ServedResources();
  served.follow(derivation);
  const { secrets } = served.proxy(id)!;
  return new Map(
    Array.from(secrets.values(), ({ name, bytes }) => [name, fromBinary(SecretSchema, bytes)]),
  );
}

function withAccount(account: string, objects: readonly TestObject[]): TestObject[] {
  return objects.map((one) =>
    one.kind === 'Pod'
      ? { ...one, spec: { ...(one.spec as object), serviceAccountName: account } }
      : one,
  );
}

const HTTPS = { name: 'https', port: 443, protocol: 'HTTPS', ...FROM_ALL };
const listener = (...refs: readonly object[]) => ({ ...HTTPS, tls: { certificateRefs: refs } });
const FRONT = withAccount('front-istio', base([443]));

test('the proxies of a Gateway are served the certificate that it names, and its key', () => {
  const served = servedTo({}, [...FRONT, gateway([listener({ name: 'own' })]), secret('edge/own')]);
  const { type } = served.get('kubernetes-gateway://edge/own')!;
  expect(type.case).toBe('tlsCertificate');
  const { certificateChain, privateKey } = type.value as {
    readonly certificateChain: { specifier: { value: Uint8Array } };
    readonly privateKey: { specifier: { value: Uint8Array } };
  };
  const text = ({ specifier }: typeof privateKey) =>
    Buffer.from(specifier.value).toString('base64');
  expect([text(certificateChain), text(privateKey)]).toEqual([PAIR['tls.crt'], PAIR['tls.key']]);
});

test.for([
  { what: 'nobody has proved an account', client: { account: '' }, runs: 'front-istio' },
  { what: 'the account is another one', client: { account: 'other' }, runs: 'other' },
  { what: 'the pod runs under another account', client: {}, runs: 'other' },
])('no key is served where $what', ({ client, runs }) => {
  const objects = [
    ...withAccount(runs, base([443])),
    gateway([listener({ name: 'own' })]),
    secret('edge/own'),
  ];
  expect([...servedTo(client, objects).keys()]).toEqual([]);
});

test('where somebody else runs the proxies, any account of the namespace that its pod has may serve the Gateway', () => {
  const addresses = [{ type: 'Hostname', value: 'front-istio' }];
  const objects = [
    ...withAccount('own-account', base([443])),
    gateway([listener({ name: 'own' })], { addresses }),
    secret('edge/own'),
  ];
  expect([...servedTo({ account: 'own-account' }, objects).keys()]).toEqual([
    'kubernetes-gateway://edge/own',
  ]);
});

test('a Secret of another namespace is served with a grant only', () => {
  const grant = object('ReferenceGrant', 'certs/grant', {
    from: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', namespace: 'edge' }],
    to: [{ group: '', kind: 'Secret' }],
  });
  const objects = [
    ...FRONT,
    gateway([listener({ name: 'site', namespace: 'certs' })]),
    secret('certs/site'),
  ];
  expect([...servedTo({}, objects).keys()]).toEqual([]);
  expect([...servedTo({}, [...objects, grant]).keys()]).toEqual([
    'kubernetes-gateway://certs/site',
  ]);
});

function istioGateway(tls: object): TestObject {
  return {
    ...object('Gateway', 'edge/gw', {
      selector: { istio: 'ingress' },
      servers: [{ port: { number: 443, name: 'https', protocol: 'HTTPS' }, hosts: ['*'], tls }],
    }),
    apiVersion: 'networking.istio.io/v1',
  };
}

test.for([
  { verdict: 'allowed', names: ['kubernetes://own', 'kubernetes://own-cacert'] },
  { verdict: 'refused', names: [] },
  { verdict: undefined, names: [] },
] as const)(
  'what a Gateway of Istio names beside its proxies is for accounts that may list Secrets there: $verdict',
  ({ verdict, names }) => {
    const objects = [
      ...FRONT,
      istioGateway({ mode: 'MUTUAL', credentialName: 'own' }),
      secret('edge/own', { ...PAIR, 'ca.crt': PAIR['tls.crt'] }),
    ];
    const client = verdict === undefined ? {} : { verdict };
    expect([...servedTo(client, objects).keys()]).toEqual(names);
  },
);

test.for(['kubernetes://certs/site', 'kubernetes-gateway://certs/site'])(
  'a Gateway of Istio gets no Secret of another namespace by the name %s',
  (credentialName) => {
    const objects = [
      ...FRONT,
      istioGateway({ mode: 'SIMPLE', credentialName }),
      secret('certs/site'),
    ];
    expect([...servedTo({ verdict: 'allowed' }, objects).keys()]).toEqual([]);
  },
);

test('what clients must be signed by is told from their Secret, or from one of its own, with what was taken back', () => {
  const tls = { mode: 'MUTUAL', credentialName: 'own' };
  const own = secret('edge/own', { ...PAIR, 'ca.crt': 'eA==' });
  const beside = secret('edge/own-cacert', { cacert: 'eQ==', crl: 'eg==' });
  const rootsIn = (objects: readonly TestObject[]) => {
    const { type } = servedTo({ verdict: 'allowed' }, objects).get('kubernetes://own-cacert')!;
    const { trustedCa, crl } = type.value as CertificateValidationContext;
    return [trustedCa, crl].map((source) => Buffer.from(source?.specifier.value ?? '').toString());
  };
  expect(rootsIn([...FRONT, istioGateway(tls), own])).toEqual(['x', '']);
  expect(rootsIn([...FRONT, istioGateway(tls), own, beside])).toEqual(['y', 'z']);
});

test('a certificate that no proxy could use is not served', () => {
  const objects = [
    ...FRONT,
    istioGateway({ mode: 'SIMPLE', credentialName: 'own' }),
    secret('edge/own', { 'tls.crt': 'eA==', 'tls.key': 'eA==' }),
  ];
  expect([...servedTo({ verdict: 'allowed' }, objects).keys()]).toEqual([]);
});

test('a DestinationRule that names a Secret has it at gateways, which speak no plaintext for want of it', () => {
  const rule = object('DestinationRule', 'shop/cart', {
    host: 'cart.shop.svc.cluster.local',
    trafficPolicy: { tls: { mode: 'MUTUAL', credentialName: 'own' } },
  });
  const objects = [
    ...FRONT,
    gateway([{ name: 'web', port: 443, protocol: 'HTTP', ...FROM_ALL }]),
    rule,
    secret('edge/own', { ...PAIR, 'ca.crt': PAIR['tls.crt'] }),
  ];
  expect([...servedTo({ verdict: 'allowed' }, objects).keys()].toSorted()).toEqual([
    'kubernetes://own',
    'kubernetes://own-cacert',
  ]);
});

test('authorities of clients that a Gateway names are served from their ConfigMap', () => {
  const data = { 'ca.crt': Buffer.from(PAIR['tls.crt']!, 'base64').toString() };
  const ref = { group: '', kind: 'ConfigMap', name: 'ca' };
  const frontend = { default: { validation: { caCertificateRefs: [ref] } } };
  const served = servedTo({}, [
    ...FRONT,
    gateway([listener({ name: 'own' })], { tls: { frontend } }),
    secret('edge/own'),
    object('RootConfigMap', 'edge/ca', {}, { data }),
  ]);
  expect(served.get('configmap://edge/ca-cacert')?.type.case).toBe('validationContext');
});
