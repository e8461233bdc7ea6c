import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { analyze } from './analyze.ts';
import type { WrittenObject } from './shape-messages.ts';

const SHOP = object('v1', 'Namespace', { name: 'shop' }, {});
const BOUND = {
  ...SHOP,
  metadata: { name: 'shop', labels: { 'istio.io/use-waypoint': 'waypoint' } },
};
const WAYPOINT = object(
  'gateway.networking.k8s.io/v1',
  'Gateway',
  { name: 'waypoint' },
  {
    gatewayClassName: 'istio-waypoint',
    listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
  },
);
const WEB = object('v1', 'Service', { name: 'web' }, { ports: [{ name: 'http', port: 80 }] });

function object(
  apiVersion: string,
  kind: string,
  metadata: { readonly name: string },
  spec: unknown,
): WrittenObject {
  const namespace = kind === 'Namespace' ? {} : { namespace: 'shop' };
  return { apiVersion, kind, metadata: { ...namespace, ...metadata }, spec } as WrittenObject;
}

const route = (spec: object): WrittenObject =>
  object(
    'gateway.networking.k8s.io/v1',
    'HTTPRoute',
    { name: 'route' },
    {
      parentRefs: [{ group: '', kind: 'Service', name: 'web', port: 80 }],
      rules: [{ backendRefs: [{ name: 'web', port: 80 }] }],
      ...spec,
    },
  );
const policy = (spec: object): WrittenObject =>
  object('security.istio.io/v1', 'AuthorizationPolicy', { name: 'policy' }, spec);
const istio = (kind: string, spec: object): WrittenObject =>
  object('networking.istio.io/v1', kind, { name: 'x' }, spec);

/** Code, path and words of each message. */
function said(...objects: readonly WrittenObject[]): string[] {
  return analyze(objects).map(({ code, path, message }) => `${code} ${path}: ${message}`);
}

test('a mesh in order has no messages', () => {
  expect(said(BOUND, WAYPOINT, WEB, route({}), policy({ rules: [] }))).toEqual([]);
});

const REFERRING = {
  ...WAYPOINT,
  spec: {
    ...(WAYPOINT as unknown as { spec: object }).spec,
    infrastructure: { parametersRef: { group: '', kind: 'ConfigMap', name: 'sizes' } },
  },
} as WrittenObject;
const sizes = (deployment: string): WrittenObject =>
  ({ ...object('v1', 'ConfigMap', { name: 'sizes' }, {}), data: { deployment } }) as WrittenObject;

test.for([
  { what: 'that is not there', objects: [], says: 'ConfigMap "shop/sizes" not found' },
  {
    what: 'with a field that there is not',
    objects: [sizes('spec: { replica: 2 }')],
    says: 'key "deployment": spec.replica: unknown field',
  },
])('a ConfigMap $what is named by the Gateway that refers to it (P135)', ({ objects, says }) => {
  expect(said(BOUND, REFERRING, ...objects).filter((text) => text.includes(says))).toHaveLength(1);
  expect(said(BOUND, REFERRING, sizes('spec: { replicas: 2 }'))).not.toContain('InvalidParameters');
});

test.for([
  {
    what: 'a backend that is not there',
    objects: [BOUND, WAYPOINT, WEB, route({ rules: [{ backendRefs: [{ name: 'no', port: 1 }] }] })],
    says: /^IST0101 : backend\(no\.shop\.svc\.cluster\.local\) not found/,
  },
  {
    what: 'a parent that is not there',
    objects: [BOUND, WAYPOINT, route({ rules: [] })],
    says: /^IST0101 : parent service: "web" not found/,
  },
  {
    what: 'a waypoint that is not there',
    objects: [BOUND, WEB],
    says: /^IST\d+ : .*waypoint/,
  },
  {
    what: 'a route without a waypoint',
    objects: [SHOP, WEB, route({})],
    says: /^AQF0104 : istio\.io\/use-waypoint label missing .* route will not be respected/,
  },
  {
    what: 'a target that is not there',
    objects: [SHOP, policy({ targetRefs: [{ group: '', kind: 'Service', name: 'no' }] })],
    says: /^IST0101 : Service shop\/no was not found/,
  },
  {
    what: 'a DENY whose HTTP half a node proxy cannot see',
    objects: [
      SHOP,
      policy({ action: 'DENY', rules: [{ to: [{ operation: { paths: ['/x'] } }] }] }),
    ],
    says: /^AQF0103 : ztunnel does not support HTTP attributes \(found: paths\)/,
  },
  {
    what: 'a rule that contradicts itself',
    objects: [
      SHOP,
      policy({ rules: [{ from: [{ source: { namespaces: ['a'], notNamespaces: ['a', 'b'] } }] }] }),
    ],
    says: /^AQF0105 spec\.rules\[0\]\.from\[0\]\.source: .* notNamespaces excludes all of namespaces/,
  },
  {
    what: 'a match that comes twice',
    objects: [BOUND, WAYPOINT, WEB, route({ rules: [{ matches: [{}] }, { matches: [{}] }] })],
    says: /^AQF0105 spec\.rules\[1\]\.matches\[0\]: .* spec\.rules\[0\]\.matches\[0\] is the same/,
  },
  {
    what: 'a route behind one that matches everything',
    objects: [istio('VirtualService', { hosts: ['web'], http: [{}, { match: [{ port: 1 }] }] })],
    says: /^IST0130 spec\.http\[1\]: .* spec\.http\[0\] matches every request/,
  },
  {
    what: 'a field that nobody knows',
    objects: [BOUND, WAYPOINT, WEB, route({ rulez: [] })],
    says: /^AQF0101 spec\.rulez: spec\.rulez is not a field of HTTPRoute/,
  },
  {
    what: 'a field of another type',
    objects: [SHOP, policy({ rules: { from: [] } })],
    says: /^IST0106 spec\.rules: spec\.rules: expected a list, found an object/,
  },
  {
    what: 'an EnvoyFilter',
    objects: [istio('EnvoyFilter', {})],
    says: /^AQF0102 : EnvoyFilter has no effect: .* HTTPRoute/,
  },
  {
    what: 'a WasmPlugin',
    objects: [object('extensions.istio.io/v1alpha1', 'WasmPlugin', { name: 'x' }, {})],
    says: /^AQF0102 : WasmPlugin has no effect/,
  },
  {
    what: 'a selector of a waypoint',
    objects: [
      SHOP,
      policy({
        selector: { matchLabels: { 'gateway.networking.k8s.io/gateway-name': 'waypoint' } },
      }),
    ],
    says: /^IST0166 spec\.selector: .* spec\.targetRefs/,
  },
  {
    what: 'a selector of nobody',
    objects: [
      SHOP,
      object('v1', 'Pod', { name: 'web' }, { containers: [] }),
      policy({ selector: { matchLabels: { app: 'web' } } }),
    ],
    says: /^IST0127 spec\.selector: no pod has the labels app=web/,
  },
  {
    what: 'a namespace that asks for two modes',
    objects: [
      {
        ...SHOP,
        metadata: {
          name: 'shop',
          labels: { 'istio-injection': 'enabled', 'istio.io/dataplane-mode': 'ambient' },
        },
      },
    ],
    says: /^IST0123 metadata\.labels: the namespace asks for sidecars/,
  },
])('$what is named', ({ objects, says }) => {
  const messages = said(...(objects as WrittenObject[]));
  expect(messages).toEqual([expect.stringMatching(says)]);
});

const gateway = (listeners: readonly object[]): WrittenObject =>
  object(
    'gateway.networking.k8s.io/v1',
    'Gateway',
    { name: 'front' },
    { gatewayClassName: 'istio', listeners },
  );
const HTTP = { name: 'web', port: 80, protocol: 'HTTP' };
const TO_FRONT = { parentRefs: [{ name: 'front' }] };

test('a gateway in order, with a route and a policy that selects it, has no messages', () => {
  const matchLabels = { 'gateway.networking.k8s.io/gateway-name': 'front' };
  const selecting = policy({ selector: { matchLabels }, rules: [{}] });
  expect(said(SHOP, WEB, gateway([HTTP]), route(TO_FRONT), selecting)).toEqual([]);
});

test.for([
  {
    what: 'a certificate that is not there',
    objects: [
      gateway([
        { name: 'tls', port: 443, protocol: 'HTTPS', tls: { certificateRefs: [{ name: 'no' }] } },
      ]),
    ],
    says: /^IST0101 : listener "tls": .* secret shop\/no not found/,
  },
  {
    what: 'listeners in conflict',
    objects: [gateway([HTTP, { name: 'raw', port: 80, protocol: 'TCP' }])],
    says: /^IST0171 : listener "raw": Conflicted is True, ProtocolConflict/,
  },
  {
    what: 'a route that its Gateway does not have a listener for',
    objects: [WEB, gateway([HTTP]), route({ parentRefs: [{ name: 'front', sectionName: 'no' }] })],
    says: /^IST0101 : sectionName "no" not found/,
  },
  {
    what: 'a backend of another namespace without a grant',
    objects: [
      gateway([HTTP]),
      route({ ...TO_FRONT, rules: [{ backendRefs: [{ name: 'x', namespace: 'y', port: 1 }] }] }),
    ],
    says: /RefNotPermitted: backendRef x\/y not accessible to a HTTPRoute in namespace "shop"/,
  },
  {
    what: 'TLS to a Service that is not there',
    objects: [
      object(
        'gateway.networking.k8s.io/v1',
        'BackendTLSPolicy',
        { name: 'tls' },
        {
          targetRefs: [{ group: '', kind: 'Service', name: 'no' }],
          validation: { hostname: 'a.test', wellKnownCACertificates: 'System' },
        },
      ),
    ],
    says: /^IST0101 : targetRefs invalid: reference shop\/no \(of kind Service\) not found/,
  },
])('of a gateway, $what is named', ({ objects, says }) => {
  const messages = said(SHOP, ...(objects as WrittenObject[]));
  expect(messages).toContainEqual(expect.stringMatching(says));
});

test('a bad object does not keep others from being judged, and errors come first', () => {
  const bad = policy({ rules: 7 });
  const messages = analyze([
    SHOP,
    WEB,
    { ...bad, metadata: { ...bad.metadata, name: 'a' } },
    route({}),
  ]);
  expect(messages.map(({ level, object: { kind } }) => `${level} ${kind}`)).toEqual([
    'Error AuthorizationPolicy',
    'Warning HTTPRoute',
  ]);
});

const GOLDEN = new URL('../../../../test/fixtures/golden/', import.meta.url);

test.for(['wds/', 'l7/'])(
  'what was recorded in %s can be judged, and has no field that is unknown',
  (folder) => {
    const files = readdirSync(new URL(folder, GOLDEN))
      .map((name) => new URL(`${folder}${name}/objects.json`, GOLDEN))
      .filter((file) => existsSync(file));
    for (const file of files) {
      const objects = JSON.parse(readFileSync(file, 'utf8')) as WrittenObject[];
      const codes = analyze(objects).filter(({ code }) => ['AQF0101', 'IST0106'].includes(code));
      expect([file.pathname, codes]).toEqual([file.pathname, []]);
    }
  },
);
