import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ClusterLoadAssignmentSchema } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { type DescMessage, type JsonObject, type Message, toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { messageRegistry } from '../../../../../test/fixtures/message-registry.ts';
import type { TestObject } from '../derivation.fixture.ts';
import { deriveWaypoint, readRecorded, recordedObjects } from './recorded-waypoint.fixture.ts';

const registry = await messageRegistry();
const BASE = recordedObjects('05-gamma-filters').filter(({ kind }) => kind !== 'HTTPRoute');
const RECORDED = readRecorded<Recording>('22-se-sidecar', 'xds-web.json');
const ENTRIES = recordedObjects('22-se-sidecar').filter(({ kind }) => kind === 'ServiceEntry');

type Recorded = Readonly<Record<string, JsonObject>>;

interface Recording {
  readonly Cluster: Recorded;
  readonly ClusterLoadAssignment: Recorded;
}

/** Of the namespace, which has a waypoint, but for those that want none. */
function labelled(entry: TestObject, labels: object): TestObject {
  return { ...entry, metadata: { ...entry.metadata, labels } as TestObject['metadata'] };
}

const UNBOUND = {
  'istio.io/use-waypoint': 'none',
  'networking.istio.io/enable-autoallocate-ip': 'false',
};

function routeTo(...hosts: readonly string[]): TestObject {
  const route = (host: string) => {
    const [name, port] = host.split(':');
    return {
      match: [{ uri: { prefix: `/${name}` } }],
      route: [{ destination: { host: name, port: { number: Number(port) } } }],
    };
  };
  return {
    kind: 'VirtualService',
    metadata: { namespace: 'shop', name: 'out' },
    spec: { hosts: ['cart'], http: hosts.map(route) },
  };
}

function asJson(schema: DescMessage, message: Message | undefined): JsonObject | undefined {
  return message && (toJson(schema, message, { registry }) as JsonObject);
}

/** How sidecars are reached, and what only Istio's build of Envoy knows. */
function comparable(json: JsonObject | undefined): unknown {
  return JSON.parse(
    JSON.stringify(json, (key, value) =>
      ['transportSocketMatches', 'filters', '@type', 'envoy.transport_socket_match'].includes(key)
        ? undefined
        : value,
    ) ?? 'null',
  );
}

test.for([
  'api.out.test:80',
  'tls.out.test:443',
  'db.out.test:5432',
  'rr.out.test:81',
  'inner.test:80',
])('a route to %s leads to the cluster that was recorded for it', (host) => {
  const entries = ENTRIES.map((entry) => labelled(entry, UNBOUND));
  const { clusters, endpoints } = deriveWaypoint([...BASE, ...entries, routeTo(host)]);
  const [hostname, port] = host.split(':');
  const name = `outbound|${port}||${hostname}`;
  const cluster = asJson(ClusterSchema, clusters.get(name)?.value);
  expect(comparable(cluster)).toEqual(comparable(RECORDED.Cluster[name]));
  const assignment = asJson(ClusterLoadAssignmentSchema, endpoints.get(name)?.value);
  expect(comparable(assignment)).toEqual(comparable(RECORDED.ClusterLoadAssignment[name]));
});

/** Those of the one entry, which is attached. */
function attached(spec: object, ...others: TestObject[]) {
  const entry: TestObject = {
    kind: 'ServiceEntry',
    metadata: { namespace: 'shop', name: 'out' },
    spec: { hosts: ['out.test'], addresses: ['192.0.2.9'], ports: [HTTP], ...spec },
  };
  return deriveWaypoint([...BASE, entry, ...others]);
}

const HTTP = { number: 80, name: 'http', protocol: 'HTTP' };
const OUT = 'inbound-vip|80|http|out.test';

test.for([
  { resolution: 'STATIC', type: 'EDS', endpoints: [{ address: '192.0.2.20' }], inline: undefined },
  { resolution: 'DNS', type: 'STRICT_DNS', endpoints: [], inline: 'out.test' },
  { resolution: 'DNS', type: 'STRICT_DNS', endpoints: [{ address: 'a.test' }], inline: 'a.test' },
  { resolution: 'DNS_ROUND_ROBIN', type: 'LOGICAL_DNS', endpoints: [], inline: 'out.test' },
  { resolution: 'NONE', type: 'ORIGINAL_DST', endpoints: [], inline: undefined },
])('an entry with resolution $resolution is found by $type', (given) => {
  const { resolution, type, endpoints, inline } = given;
  const { clusters, endpoints: assignments } = attached({ resolution, endpoints });
  const cluster = asJson(ClusterSchema, clusters.get(OUT)?.value);
  expect(cluster).toMatchObject({
    type,
    metadata: { filterMetadata: { istio: { external: true } } },
  });
  const found = JSON.stringify(cluster?.loadAssignment ?? null);
  if (inline === undefined) expect(found).toBe('null');
  else expect(found).toContain(`"socketAddress":{"address":"${inline}","portValue":80}`);
  expect(assignments.has(OUT)).toBe(type === 'EDS');
});

test('a name whose addresses race is one host with all of them (P128)', () => {
  const annotations = { 'istio.io/connect-strategy': 'RACE_FIRST_TCP_CONNECT' };
  const entry: TestObject = {
    kind: 'ServiceEntry',
    metadata: { namespace: 'shop', name: 'out', annotations } as TestObject['metadata'],
    spec: { hosts: ['out.test'], addresses: ['192.0.2.9'], ports: [HTTP], resolution: 'DNS' },
  };
  const { clusters } = deriveWaypoint([...BASE, entry]);
  expect(asJson(ClusterSchema, clusters.get(OUT)?.value)).toMatchObject({
    type: 'LOGICAL_DNS',
    dnsLookupFamily: 'ALL',
  });
});

test('an entry of a wildcard leads each request to the name that it is for (P125)', () => {
  const wildcard: TestObject = {
    kind: 'ServiceEntry',
    metadata: { namespace: 'shop', name: 'out' },
    spec: {
      hosts: ['*.domain.test'],
      addresses: ['192.0.2.9'],
      ports: [HTTP, { number: 5432, name: 'db', protocol: 'TCP' }],
      resolution: 'DYNAMIC_DNS',
    },
  };
  const { clusters, listeners } = deriveWaypoint([...BASE, wildcard]);
  const name = 'inbound-vip|80|http|*.domain.test';
  expect(asJson(ClusterSchema, clusters.get(name)?.value)).toMatchObject({
    clusterType: { name: 'envoy.clusters.dynamic_forward_proxy' },
    lbPolicy: 'CLUSTER_PROVIDED',
  });
  expect(clusters.has('inbound-vip|5432|tcp|*.domain.test')).toBe(false);
  const main = JSON.stringify(asJson(ListenerSchema, listeners.get('main_internal')?.value));
  expect(main).toContain('"domains":["*.domain.test"]');
  expect(main).toContain('envoy.filters.http.dynamic_forward_proxy');
});

test('an entry of a wildcard without a waypoint adds nothing to one (P126)', () => {
  const wildcard: TestObject = {
    kind: 'ServiceEntry',
    metadata: { namespace: 'shop', name: 'out', labels: { 'istio.io/use-waypoint': 'none' } },
    spec: { hosts: ['*.domain.test'], ports: [HTTP], resolution: 'DYNAMIC_DNS' },
  };
  const namesWith = (objects: readonly TestObject[]): readonly string[] =>
    [...deriveWaypoint(objects).clusters.keys()].toSorted();
  expect(namesWith([...BASE, wildcard])).toEqual(namesWith(BASE));
});

test('the endpoints of a subset are those with its labels', () => {
  const rule: TestObject = {
    kind: 'DestinationRule',
    metadata: { namespace: 'shop', name: 'out' },
    spec: { host: 'out.test', subsets: [{ name: 'v2', labels: { version: 'v2' } }] },
  };
  const endpoints = [
    { address: '192.0.2.20', labels: { version: 'v1' } },
    { address: '192.0.2.21', labels: { version: 'v2' } },
  ];
  const { endpoints: found } = attached({ resolution: 'STATIC', endpoints }, rule);
  const assignment = found.get('inbound-vip|80|http/v2|out.test');
  const json = JSON.stringify(asJson(ClusterLoadAssignmentSchema, assignment?.value));
  expect(json).toContain('192.0.2.21');
  expect(json).not.toContain('192.0.2.20');
});

test('an HTTPRoute has an entry as parent, and a host of one as backend', () => {
  const route: TestObject = {
    kind: 'HTTPRoute',
    metadata: { namespace: 'shop', name: 'out' },
    spec: {
      parentRefs: [{ group: 'networking.istio.io', kind: 'ServiceEntry', name: 'out' }],
      rules: [
        {
          backendRefs: [
            { group: 'networking.istio.io', kind: 'Hostname', name: 'api.out.test', port: 80 },
          ],
        },
      ],
    },
  };
  const other = labelled(ENTRIES.find(({ metadata }) => metadata.name === 'web-dns')!, UNBOUND);
  const { clusters, listeners } = attached({ resolution: 'DNS' }, route, other);
  expect(clusters.has('outbound|80||api.out.test')).toBe(true);
  const main = Buffer.from(listeners.get('main_internal')!.bytes).toString('latin1');
  expect(main).toContain('outbound|80||api.out.test');
});
