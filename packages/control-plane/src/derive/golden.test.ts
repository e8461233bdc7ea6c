import { readdirSync, readFileSync } from 'node:fs';
import { formatIpAddress } from '@aquifer/model';
import type { Gateway } from '@aquifer/model/resources';
import { AuthorizationSchema } from '@aquifer/wire/gen/istio/security_pb';
import { AddressSchema } from '@aquifer/wire/gen/istio/workload_pb';
import { type DescMessage, fromBinary, toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { deriveGatewayStatus } from '../gateways/gateway-status.ts';
import { applyChanges, type ClusterState, clusterStateOf } from '../ingest/cluster-state.ts';
import { newDeriver, SETTINGS } from './derivation.fixture.ts';
import type { ResourceMap } from './resource.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * Recordings of Istio's control plane: test/fixtures/golden/wds/README.md. Cases 25 and 27 hold WorkloadEntries, which
 * are not derived yet; the Addresses made from those are left out of the comparison, everything else is compared. Of
 * case 26, which is about ServiceEntries too, the conditions of the policies that name none are compared.
 */
const GOLDEN = new URL('../../../../test/fixtures/golden/wds/', import.meta.url);
const CASES = readdirSync(GOLDEN).filter((name) => /^\d\d-/.test(name) && !name.startsWith('26-'));

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

function derive(name: string): Snapshot {
  const objects = read(name, 'objects.json') as { kind: string }[];
  const state = clusterStateOf([...objects, ...CLASSES]);
  return newDeriver().derive(withGatewayStatuses(name, state));
}

/** The waypoint controller's status is ours; other classes' is taken from the recording, as their controllers wrote it. */
function withGatewayStatuses(name: string, state: ClusterState): ClusterState {
  const recorded = read(name, 'status.json') as Record<string, Gateway['status']>;
  const changes = [...state.Gateway].map((gateway) => {
    const { namespace = '', name: own = '' } = gateway.metadata;
    const status =
      gateway.spec.gatewayClassName === 'istio-waypoint'
        ? (deriveGatewayStatus(gateway, state, SETTINGS) as unknown as Gateway['status'])
        : recorded[`Gateway/${namespace}/${own}`];
    return { namespace, name: own, object: { ...gateway, status } };
  });
  return applyChanges(state, { Gateway: changes });
}

/** The recordings show addresses as text where protobuf JSON has base64. */
function toRecordedJson(schema: DescMessage, resources: ResourceMap): Json {
  const recorded: Json = {};
  for (const { name, bytes } of resources.values()) {
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

function withoutWorkloadEntries(addresses: Json): Json {
  const entries = Object.entries(addresses).filter(([name]) => !name.includes('/WorkloadEntry/'));
  return Object.fromEntries(entries);
}

test.for(CASES)('serves the recorded addresses and policies of %s', (name) => {
  const recorded = read(name, 'wds.json') as { Address?: Json; Authorization?: Json };
  const snapshot = derive(name);
  const served = {
    Address: toRecordedJson(AddressSchema, snapshot.addresses),
    Authorization: toRecordedJson(AuthorizationSchema, snapshot.authorizations),
  };
  expect(served.Address).toEqual(withoutWorkloadEntries(recorded.Address ?? {}));
  expect(served.Authorization).toEqual(failingClosed(recorded.Authorization ?? {}));
});

function failingClosed(policies: Json): Json {
  const entries = Object.entries(policies).map(([name, policy]) => {
    const groups = FAIL_CLOSED[name];
    return [name, groups === undefined ? policy : { ...(policy as Json), groups }];
  });
  return Object.fromEntries(entries);
}

test('writes the recorded WaypointAccepted conditions of 26-authz-target-refs', () => {
  const name = '26-authz-target-refs';
  const { conditions } = derive(name);
  const recorded = conditionsIn(name, 'AuthorizationPolicy');
  for (const entry of ['ref/entry', 'ref/entry-free', 'ref/entry-missing']) delete recorded[entry];
  expect(present(conditions.attachments)).toEqual(recorded);
});

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

function present(conditions: ReadonlyMap<string, unknown>): Json {
  return Object.fromEntries([...conditions].filter(([, condition]) => condition !== null));
}

test.for(CASES)('writes the recorded conditions of %s', (name) => {
  const { conditions } = derive(name);
  expect(present(conditions.services)).toEqual(conditionsIn(name, 'Service'));
  const recorded = conditionsIn(name, 'AuthorizationPolicy');
  for (const key of Object.keys(recorded)) recorded[key] = UNREADABLE[key] ?? recorded[key];
  expect(present(conditions.policies)).toEqual(recorded);
});

test.for(CASES.filter((name) => /^1[3-7]-/.test(name)))(
  'writes the recorded Gateway statuses of %s',
  (name) => {
    const state = clusterStateOf(read(name, 'objects.json') as { kind: string }[]);
    const recorded = read(name, 'status.json') as Record<string, Json>;
    for (const gateway of state.Gateway) {
      if (gateway.spec.gatewayClassName !== 'istio-waypoint') continue;
      const { namespace, name: own } = gateway.metadata;
      const status = deriveGatewayStatus(gateway, state, SETTINGS);
      const { addresses = [], ...rest } = recorded[`Gateway/${namespace}/${own}`]!;
      expect(status).toEqual({ addresses, ...(withoutGenerations(rest) as Json) });
    }
  },
);

function withoutGenerations(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, item) => (key === 'observedGeneration' ? undefined : item)),
  );
}
