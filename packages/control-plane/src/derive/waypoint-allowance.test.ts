import { expect, test } from 'vitest';
import { SETTINGS, TestCluster, type TestObject } from './derivation.fixture.ts';
import type { Derivation } from './derivation.ts';

const WAYPOINT = { 'istio.io/use-waypoint': 'waypoint' };

function pod(name: string, account: string, labels: Record<string, string>): TestObject {
  return {
    kind: 'Pod',
    metadata: { namespace: 'ns1', name, labels },
    spec: { serviceAccountName: account },
    status: { phase: 'Running', podIP: `10.0.0.${name.length}` },
  };
}

const OBJECTS: readonly TestObject[] = [
  { kind: 'Namespace', metadata: { name: 'ns1' } },
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { namespace: 'ns1', name: 'waypoint', labels: { 'istio.io/waypoint-for': 'all' } },
    spec: { gatewayClassName: 'istio-waypoint', listeners: [] },
    status: { addresses: [{ type: 'IPAddress', value: '10.96.0.60' }] },
  },
  pod('instance', 'waypoint-sa', { 'gateway.networking.k8s.io/gateway-name': 'waypoint' }),
  pod('another1', 'namespace-wide', { 'gateway.networking.k8s.io/gateway-name': 'waypoint' }),
  pod('bound', 'default', WAYPOINT),
  pod('behind', 'default', { app: 'cart' }),
  pod('free', 'default', {}),
  {
    kind: 'Service',
    metadata: { namespace: 'ns1', name: 'cart', labels: WAYPOINT },
    spec: { clusterIP: '10.96.0.10', selector: { app: 'cart' }, ports: [{ port: 80 }] },
  },
];

const POLICY = 'ns1/istio_allow_waypoint_ns1_waypoint';

function listedBy({ mesh }: Derivation): Readonly<Record<string, readonly string[]>> {
  const all = [...mesh.workloads.entries()].map(([, { value }]) => value);
  return Object.fromEntries(
    all.map(({ name, authorizationPolicies }) => [name, authorizationPolicies]),
  );
}

test('a waypoint is let in by what it stands before, under the accounts of its pods (P075)', () => {
  const cluster = new TestCluster(OBJECTS, { ...SETTINGS, isWaypointAllowed: true });
  const { mesh } = cluster.derivation;
  expect(listedBy(cluster.derivation)).toEqual({
    instance: [],
    another1: [],
    bound: [POLICY],
    behind: [POLICY],
    free: [],
  });
  const exact = (account: string) => ({
    kind: 'exact',
    value: `cluster.local/ns/ns1/sa/${account}`,
  });
  expect(mesh.authorizations.get(POLICY)?.value).toMatchObject({
    action: 'allow',
    scope: 'workload-selector',
    groups: [[[{ principals: [exact('namespace-wide'), exact('waypoint-sa')] }]]],
  });
  cluster.toggle(OBJECTS[2]!, OBJECTS[3]!);
  expect(listedBy(cluster.derivation)).toMatchObject({ bound: [], behind: [] });
  expect(mesh.authorizations.get(POLICY)).toBeUndefined();
});

test('nothing lets a waypoint in unless that is asked for', () => {
  const { derivation } = new TestCluster(OBJECTS);
  expect(listedBy(derivation)).toMatchObject({ bound: [], behind: [] });
  expect(derivation.mesh.authorizations.get(POLICY)).toBeUndefined();
});
