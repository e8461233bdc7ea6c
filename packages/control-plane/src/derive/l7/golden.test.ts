import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ClusterLoadAssignmentSchema } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { type DescMessage, fromBinary, toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { messageRegistry } from '../../../../../test/fixtures/message-registry.ts';
import { keyOf } from '../../ingest/cluster-inputs.ts';
import { valuesOf } from '../derivation.fixture.ts';
import type { ResourceMap } from '../resource.ts';
import {
  deriveWaypoint,
  RECORDED_MESH,
  readRecorded,
  readyCluster,
  recordedObjects,
} from './recorded-waypoint.fixture.ts';

/**
 * Recordings of Istio's control plane (test/fixtures/golden/l7). Compared is everything but
 * - Istio's private filters (peer metadata, its metadata exchange) and the settings of a tracer that is not there;
 * - the TLS of sidecars (`tlsMode-istio` and what chooses it): sidecars are not spoken to yet;
 * - the deliberate differences listed at each case.
 */
type Json = Readonly<Record<string, unknown>> & { readonly name?: unknown };

interface Recording {
  readonly Cluster: Json;
  readonly ClusterLoadAssignment: Json;
  readonly Listener: Json;
}

const registry = await messageRegistry();

function toRecordedJson(schema: DescMessage, resources: ResourceMap): Json {
  const entries = [...resources.values()].map(({ name, bytes }) => {
    const json = toJson(schema, fromBinary(schema, bytes), { registry }) as Json;
    return [name, { '@type': `type.googleapis.com/${schema.typeName}`, ...json }];
  });
  return Object.fromEntries(entries);
}

const PRIVATE_FILTERS: readonly unknown[] = [
  'waypoint_downstream_peer_metadata',
  'waypoint_upstream_peer_metadata',
  'istio.metadata_exchange',
];

/** `disable_mx` tells the metadata exchange of Istio to do nothing. */
const PRIVATE_FIELDS: readonly string[] = ['tracing', 'disable_mx'];

/** The recording without what only Istio's build of Envoy knows. */
function comparable(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.filter((item) => !isPrivate(item as Json)).map(comparable);
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([key]) => !PRIVATE_FIELDS.includes(key))
    .filter(([key, item]) => !isTlsOfSidecars(key, item as Json | null))
    .map(([key, item]) => [key, comparable(item)] as const)
    .filter(([key, item]) => key !== 'filters' || (item as unknown[]).length > 0);
  return Object.fromEntries(entries);
}

function isTlsOfSidecars(key: string, item: Json | null): boolean {
  return key === 'envoy.transport_socket_match' && item?.tlsMode === 'istio';
}

function isPrivate(item: Json | null): boolean {
  const name = item?.name;
  return PRIVATE_FILTERS.includes(name) || name === 'tlsMode-istio';
}

/** Routes that differ from the recording on purpose (docs/adr/0027-what-routes-do-not-lose.md). */
const DIFFERENT: Readonly<Record<string, readonly unknown[]>> = {
  '06-gamma-grpcroute-timeouts': ['shop.t.1'],
  '07-gamma-status': ['shop.filters.0'],
};

function withoutDifferences(name: string, listeners: unknown): unknown {
  const names = DIFFERENT[name] ?? [];
  return JSON.parse(
    JSON.stringify(listeners, (key, value) =>
      key === 'routes' ? value.filter((route: Json) => !names.includes(route.name)) : value,
    ),
  );
}

test.for([
  '01-base-waypoint',
  '04-gamma-match-precedence',
  '05-gamma-filters',
  '06-gamma-grpcroute-timeouts',
  '07-gamma-status',
  '11-vs-waypoint',
  '17-dr-waypoint',
  '23-authz-waypoint',
  '25-custom-authz',
  '29-eds-ambient',
])('serves the recorded configuration of %s', (name) => {
  const recorded = readRecorded<Recording>(name, 'xds-waypoint.json');
  const served = deriveWaypoint([...recordedObjects(name), RECORDED_MESH]);
  expect(toRecordedJson(ClusterSchema, served.clusters)).toEqual(comparable(recorded.Cluster));
  expect(toRecordedJson(ClusterLoadAssignmentSchema, served.endpoints)).toEqual(
    comparable(recorded.ClusterLoadAssignment),
  );
  const listeners = toRecordedJson(ListenerSchema, served.listeners);
  expect(withoutDifferences(name, listeners)).toEqual(
    withoutDifferences(name, comparable(recorded.Listener)),
  );
});

interface RecordedStatus {
  readonly conditions?: readonly Json[];
}

test.for([
  '01-base-waypoint',
  '04-gamma-match-precedence',
  '05-gamma-filters',
  '06-gamma-grpcroute-timeouts',
  '07-gamma-status',
  '11-vs-waypoint',
  '17-dr-waypoint',
  '23-authz-waypoint',
  '25-custom-authz',
  '29-eds-ambient',
])('says of each Service what %s does', (name) => {
  const { services } = readyCluster(recordedObjects(name)).derivation.mesh;
  const recorded = readRecorded<Record<string, RecordedStatus>>(name, 'status.json');
  const said = valuesOf(services).flatMap(({ service, condition }) =>
    condition === null
      ? []
      : [[keyOf(service), { type: 'istio.io/WaypointBound', ...condition }] as const],
  );
  const expected = Object.entries(recorded).flatMap(([key, status]) => {
    const [kind, ...name] = key.split('/');
    const [condition] = status.conditions ?? [];
    return kind === 'Service' && condition ? [[name.join('/'), condition] as const] : [];
  });
  expect(Object.fromEntries(said)).toEqual(Object.fromEntries(expected));
});
