import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ClusterLoadAssignmentSchema } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { expect, test } from 'vitest';
import { messageRegistry } from '../../../../../test/fixtures/message-registry.ts';
import { keyOf } from '../../ingest/cluster-inputs.ts';
import { valuesOf } from '../derivation.fixture.ts';
import { comparable, type Json, toRecordedJson } from './recorded-json.fixture.ts';
import {
  deriveWaypoint,
  RECORDED_MESH,
  readRecorded,
  readyCluster,
  recordedObjects,
} from './recorded-waypoint.fixture.ts';

const registry = await messageRegistry();

/**
 * Recordings of Istio's control plane (test/fixtures/golden/l7). Compared is everything but
 * - Istio's private filters (peer metadata, its metadata exchange) and the settings of a tracer that is not there;
 * - the TLS of sidecars (`tlsMode-istio` and what chooses it): sidecars are not spoken to yet;
 * - the deliberate differences listed at each case.
 */
interface Recording {
  readonly Cluster: Json;
  readonly ClusterLoadAssignment: Json;
  readonly Listener: Json;
}

/** Of items and of what chooses them. */
function isTlsOfSidecars(name: string, item: unknown): boolean {
  const tlsMode = (item as { readonly tlsMode?: unknown } | null)?.tlsMode;
  return (
    name === 'tlsMode-istio' || (name === 'envoy.transport_socket_match' && tlsMode === 'istio')
  );
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
  '27-telemetry-waypoint',
  '29-eds-ambient',
])('serves the recorded configuration of %s', (name) => {
  const recorded = readRecorded<Recording>(name, 'xds-waypoint.json');
  const served = deriveWaypoint([...recordedObjects(name), RECORDED_MESH]);
  expect(toRecordedJson(ClusterSchema, served.clusters, registry)).toEqual(
    comparable(recorded.Cluster, isTlsOfSidecars),
  );
  expect(toRecordedJson(ClusterLoadAssignmentSchema, served.endpoints, registry)).toEqual(
    comparable(recorded.ClusterLoadAssignment, isTlsOfSidecars),
  );
  const listeners = toRecordedJson(ListenerSchema, served.listeners, registry);
  expect(withoutDifferences(name, listeners)).toEqual(
    withoutDifferences(name, comparable(recorded.Listener, isTlsOfSidecars)),
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
  '27-telemetry-waypoint',
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
