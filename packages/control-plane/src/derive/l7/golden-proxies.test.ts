import { expect, test } from 'vitest';
import { messageRegistry } from '../../../../../test/fixtures/message-registry.ts';
import { comparable, type Json, toRecordedJson } from './recorded-json.fixture.ts';
import { RECORDED_TYPES, type RecordedType, servedTo } from './recorded-proxy.fixture.ts';
import { RECORDED_MESH, readRecorded, recordedObjects } from './recorded-waypoint.fixture.ts';

const registry = await messageRegistry();

/**
 * Recordings of Istio's control plane (test/fixtures/golden/l7). Compared is everything but what only Istio's build of Envoy
 * knows, and the listener of `default/kubernetes`, which is not among the objects.
 */
type Recording = Readonly<Record<RecordedType, Readonly<Record<string, Json>>>>;

/** Metrics are counted by Istio's build of Envoy alone (docs/adr/0035-sidecars-by-view.md). */
const LEFT_OUT: readonly string[] = ['10.96.0.1_443', 'istio.stats'];
const isLeftOut = (name: string): boolean => LEFT_OUT.includes(name);

test.for([
  ['02-base-sidecar-client', 'web'],
  ['03-base-sidecar-server', 'cart'],
  ['08-vs-match-sidecar', 'web'],
  ['09-vs-rewrite-redirect-direct', 'web'],
  ['10-vs-resilience', 'web'],
  ['12-vs-tcp-tls', 'web'],
  ['13-dr-subsets-lb', 'web'],
  ['14-dr-pool-outlier', 'web'],
  ['15-dr-tls', 'web'],
  ['16-dr-scope', 'web'],
  ['16-dr-scope', 'job'],
  ['18-locality-sidecar', 'web'],
  ['19-gw-http-tcp', 'gateway'],
  ['20-gw-tls', 'gateway'],
  ['21-gwapi-gateway', 'gateway'],
  ['22-se-sidecar', 'web'],
  ['24-jwt-authz-sidecar', 'cart'],
  ['25-custom-authz', 'stock'],
  ['26-peerauth-sidecar', 'cart'],
  ['28-telemetry-sidecar', 'web'],
  ['29-eds-ambient', 'hbone'],
  ['29-eds-ambient', 'gateway'],
  ['30-sidecar-resource', 'web'],
  ['30-sidecar-resource', 'job'],
] as const)('serves the recorded configuration of %s to %s', ([name, proxy]) => {
  const recorded = readRecorded<Recording>(name, `xds-${proxy}.json`);
  const served = servedTo(name, proxy, [...recordedObjects(name), RECORDED_MESH]);
  for (const type of Object.keys(RECORDED_TYPES) as RecordedType[]) {
    const { schema } = RECORDED_TYPES[type];
    expect(toRecordedJson(schema, served[type], registry)).toEqual(
      comparable(recorded[type] ?? {}, isLeftOut),
    );
  }
});
