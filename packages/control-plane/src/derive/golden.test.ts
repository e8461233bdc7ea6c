import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { formatIpAddress } from '@aquifer/model';
import type { Gateway } from '@aquifer/model/resources';
import { AuthorizationSchema } from '@aquifer/wire/gen/istio/security_pb';
import { AddressSchema } from '@aquifer/wire/gen/istio/workload_pb';
import { type DescMessage, fromBinary, toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { UNTRACKED } from '../collections/cell.ts';
import type { Collection } from '../collections/collection.ts';
import { type DerivedGatewayStatus, deriveGatewayStatus } from '../gateways/gateway-status.ts';
import { deriveRemoteStatus } from '../gateways/remote-gateways.ts';
import { keyOf } from '../ingest/cluster-inputs.ts';
import { SETTINGS, TestCluster, type TestObject, valuesOf } from './derivation.fixture.ts';
import { WAYPOINT_CONTROLLER } from './labels.ts';
import type { Resource } from './resource.ts';
import { conditionsOfEntry } from './service-entry-status.ts';

/**
 * Recordings of Istio's control plane: test/fixtures/golden/wds/README.md. Everything is compared, but for the addresses
 * that hosts are given, of which only those that they had before are the same in each run.
 */
const GOLDEN = new URL('../../../../test/fixtures/golden/wds/', import.meta.url);
const CASES = readdirSync(GOLDEN).filter((name) => /^\d\d-/.test(name));

/**
 * Groups of DENY policies that ztunnel cannot judge fully, where Istio sends an empty match, which never holds; ours hold
 * whatever cannot be seen (docs/adr/0013-deny-what-cannot-be-seen.md).
 */
const FAIL_CLOSED: Readonly<Record<string, readonly Json[]>> = {
  'l4/unparsable': [{}, {}, {}, {}],
  'l7/deny-only': [{}],
  'l7/deny-one-clause': [{ rules: [{ matches: [{ namespaces: [{ exact: 'bad' }] }] }] }],
  'l7/deny-two-operations': [{}],
  'l7/deny-header': [
    {
      rules: [
        { matches: [{ destinationPorts: [80] }] },
        { matches: [{ sourceIps: [{ address: '10.0.0.1', length: 32 }] }] },
      ],
    },
  ],
  'when/l7-keys': Array.from({ length: 7 }, () => ({})),
};

/** What the status of a policy with values that cannot be read says instead of `attached to ztunnel`. */
const UNREADABLE: Readonly<Record<string, Json>> = {
  'l4/unparsable': {
    status: 'False',
    reason: 'UnsupportedValue',
    message:
      'cannot be read: ipBlocks "10.0.0.0/99", ipBlocks "not-an-ip", ports "70000", ports "http". Until it is corrected, the rule denies whatever else it matches, as if that value were not there.',
  },
  'when/l4-keys': {
    status: 'False',
    reason: 'UnsupportedValue',
    message: 'cannot be read: destination.port "x". Until it is corrected, it allows nothing.',
  },
};

/** The recordings leave out what the control plane itself had made. */
const CLASSES = [
  {
    kind: 'GatewayClass',
    metadata: { name: 'istio' },
    spec: { controllerName: 'istio.io/gateway-controller' },
  },
  {
    kind: 'GatewayClass',
    metadata: { name: 'istio-waypoint' },
    spec: { controllerName: 'istio.io/mesh-controller' },
  },
];

type Json = Record<string, unknown>;

function read(name: string, file: string): unknown {
  return JSON.parse(readFileSync(new URL(`${name}/${file}`, GOLDEN), 'utf8'));
}

/** The cluster of a case in which every status is written that ours writes. */
function derive(name: string): TestCluster {
  const objects = read(name, 'objects.json') as { kind: string }[];
  const cluster = new TestCluster([...objects, ...CLASSES, ...meshConfigOf(name)]);
  cluster.put(...gatewaysWithStatus(name, cluster));
  cluster.put(...entriesWithAddresses(cluster));
  return cluster;
}

function meshConfigOf(name: string): TestObject[] {
  const file = new URL(`${name}/mesh.yaml`, GOLDEN);
  if (!existsSync(file)) return [];
  const metadata = { namespace: 'istio-system', name: 'istio' };
  return [{ kind: 'MeshConfigMap', metadata, data: { mesh: readFileSync(file, 'utf8') } }];
}

function entriesWithAddresses({ derivation: { cluster, mesh } }: TestCluster): TestObject[] {
  return Array.from(cluster.of('ServiceEntry').entries(), ([key, entry]) => {
    const status = { ...entry.status, addresses: mesh.allocatedAddresses.get(key) };
    return { ...entry, status } as unknown as TestObject;
  });
}

/** Undefined for classes that are not ours. */
function statusOf(gateway: Gateway, { derivation }: TestCluster): DerivedGatewayStatus | undefined {
  const { gatewayClassName } = gateway.spec;
  if (gatewayClassName === 'istio-remote') return deriveRemoteStatus(gateway);
  if (gatewayClassName !== 'istio-waypoint') return undefined;
  return deriveGatewayStatus(
    gateway,
    WAYPOINT_CONTROLLER,
    {
      cluster: derivation.cluster,
      mesh: derivation.mesh,
      gatewayApi: derivation.routing.gatewayApi,
      settings: SETTINGS,
    },
    UNTRACKED,
  );
}

/** Statuses of our controllers are ours; those of other classes are taken from the recording. */
function gatewaysWithStatus(name: string, cluster: TestCluster): TestObject[] {
  const recorded = read(name, 'status.json') as Record<string, Gateway['status']>;
  return valuesOf(cluster.derivation.cluster.of('Gateway')).map((gateway) => {
    const { namespace = '', name: own = '' } = gateway.metadata;
    const status = statusOf(gateway, cluster) ?? recorded[`Gateway/${namespace}/${own}`];
    return { ...gateway, status } as unknown as TestObject;
  });
}

/** The recordings show addresses as text where protobuf JSON has base64. */
function toRecordedJson(schema: DescMessage, resources: Collection<Resource>): Json {
  const recorded: Json = {};
  for (const { name, bytes } of valuesOf(resources)) {
    const json = toJson(schema, fromBinary(schema, bytes)) as Json;
    recorded[name] = readableAddresses({
      '@type': `type.googleapis.com/${schema.typeName}`,
      ...json,
    });
  }
  return recorded;
}

function readableAddresses(value: unknown, key = ''): unknown {
  if (typeof value === 'string') {
    return key === 'address' || key === 'addresses'
      ? formatIpAddress(Buffer.from(value, 'base64'))
      : value;
  }
  if (Array.isArray(value)) return value.map((item) => readableAddresses(item, key));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, readableAddresses(item, name)]),
  );
}

/** Addresses that were given to hosts since the case began, as `given`: which ones they are is chance in the recording. */
function withoutChance(addresses: Json, name: string): Json {
  const before = JSON.stringify(read(name, 'objects.json'));
  const text = JSON.stringify(addresses, (_key, value) =>
    typeof value === 'string' && /^(240\.240\.|2001:2::)/.test(value) && !before.includes(value)
      ? `given ${value.includes(':') ? 'IPv6' : 'IPv4'}`
      : value,
  );
  return JSON.parse(text) as Json;
}

test.for(CASES)('serves the recorded addresses and policies of %s', (name) => {
  const recorded = read(name, 'wds.json') as { Address?: Json; Authorization?: Json };
  const { mesh } = derive(name).derivation;
  const served = {
    Address: toRecordedJson(AddressSchema, mesh.addresses),
    Authorization: toRecordedJson(AuthorizationSchema, mesh.authorizations),
  };
  expect(withoutChance(served.Address, name)).toEqual(withoutChance(recorded.Address ?? {}, name));
  expect(served.Authorization).toEqual(failingClosed(recorded.Authorization ?? {}));
});

function failingClosed(policies: Json): Json {
  const entries = Object.entries(policies).map(([name, policy]) => {
    const groups = FAIL_CLOSED[name];
    return [name, groups === undefined ? policy : { ...(policy as Json), groups }];
  });
  return Object.fromEntries(entries);
}

interface Recorded {
  readonly conditions?: readonly Json[];
}

function conditionsIn(name: string, kind: string): Json {
  const statuses = Object.entries(read(name, 'status.json') as Record<string, Recorded>);
  const found = statuses
    .filter(([key, { conditions = [] }]) => key.startsWith(`${kind}/`) && conditions.length > 0)
    .map(([key, { conditions = [] }]) => {
      const { status, reason, message = '' } = conditions[0]!;
      return [key.slice(kind.length + 1), { status, reason, message }];
    });
  return Object.fromEntries(found);
}

function present<T>(collection: Collection<T>, conditionOf: (value: T) => unknown): Json {
  const all = Array.from(
    collection.entries(),
    ([key, value]) => [key, conditionOf(value)] as const,
  );
  return Object.fromEntries(all.filter(([, condition]) => condition !== null));
}

test.for(CASES)('writes the recorded conditions of %s (P098)', (name) => {
  const { services, policies, workloadEntries } = derive(name).derivation.mesh;
  const bound = valuesOf(services).flatMap(({ service, condition }) =>
    condition === null || service.kind !== 'Service' ? [] : [[keyOf(service), condition] as const],
  );
  expect(Object.fromEntries(bound)).toEqual(conditionsIn(name, 'Service'));
  const recorded = conditionsIn(name, 'AuthorizationPolicy');
  for (const key of Object.keys(recorded)) recorded[key] = UNREADABLE[key] ?? recorded[key];
  expect(present(policies, ({ verdict, attachment }) => verdict ?? attachment)).toEqual(recorded);
  const entries = present(workloadEntries, ({ condition }) => condition);
  expect(entries).toEqual(conditionsIn(name, 'WorkloadEntry'));
});

function isServiceEntry({ kind }: TestObject): boolean {
  return kind === 'ServiceEntry';
}

test.for(CASES)('writes the recorded statuses of ServiceEntries of %s', (name) => {
  const { cluster, mesh } = derive(name).derivation;
  const hasRules = (mesh.meshConfig.get('')?.serviceEntryVisibility ?? null) !== null;
  const said = valuesOf(cluster.of('ServiceEntry')).map((entry) => {
    const key = `ServiceEntry/${keyOf(entry)}`;
    const conditions = conditionsOfEntry(mesh.servicesBySource.lookup(key), hasRules);
    return [key, { conditions, addresses: entry.status?.addresses ?? [] }] as const;
  });
  // What was not written is as it was.
  const recorded = read(name, 'status.json') as Record<string, Json>;
  const objects = (read(name, 'objects.json') as TestObject[]).filter(isServiceEntry);
  const expected = objects.map((object) => {
    const key = `ServiceEntry/${keyOf(object)}`;
    const { status = {} } = object as { readonly status?: Json };
    return [key, { conditions: [], addresses: [], ...status, ...recorded[key] }];
  });
  expect(withoutChance(Object.fromEntries(said), name)).toEqual(
    withoutChance(Object.fromEntries(expected), name),
  );
});

test.for(CASES.filter((name) => /^(1[3-7]|2[169]|31)-/.test(name)))(
  'writes the recorded Gateway statuses of %s',
  (name) => {
    const cluster = new TestCluster(read(name, 'objects.json') as { kind: string }[]);
    const recorded = read(name, 'status.json') as Record<string, Json>;
    for (const gateway of valuesOf(cluster.derivation.cluster.of('Gateway'))) {
      const status = statusOf(gateway, cluster);
      if (status === undefined) continue;
      const { namespace, name: own } = gateway.metadata;
      const { addresses = [], listeners = [], ...rest } = recorded[`Gateway/${namespace}/${own}`]!;
      expect(status).toEqual(withoutGenerations({ addresses, listeners, ...rest }));
    }
  },
);

function withoutGenerations(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, item) => (key === 'observedGeneration' ? undefined : item)),
  );
}
