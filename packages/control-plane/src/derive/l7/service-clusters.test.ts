import type { DestinationRule } from '@aquifer/model/resources';
import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { type JsonObject, toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { messageRegistry } from '../../../../../test/fixtures/message-registry.ts';
import { MESH, TestCluster, valuesOf } from '../derivation.fixture.ts';
import { namespaceOf } from '../object.ts';
import { destinationPolicy } from '../traffic/destination-rules.ts';
import { l7Ports } from './port-protocol.ts';
import { readRecorded, recordedObjects } from './recorded-waypoint.fixture.ts';
import { outboundServiceCluster } from './service-clusters.ts';

const registry = await messageRegistry();
const CLIENT = { namespace: 'shop', labels: { app: 'web' } };

/** TLS of sidecars, and what only Istio's build of Envoy knows. Services without settings have TLS of sidecars there. */
const PRIVATE: readonly string[] = ['filters', 'alpn_override', '@type'];

function comparable(json: JsonObject | undefined): unknown {
  return JSON.parse(
    JSON.stringify(json ?? null, (key, value) => {
      if (PRIVATE.includes(key)) return undefined;
      if (key !== 'transportSocketMatches') return value;
      return value.filter(({ name }: JsonObject) => name !== 'tlsMode-istio');
    }),
  );
}

/** Of every recorded cluster that leads to a Service. */
function served(name: string): Map<string, unknown> {
  const { derivation } = new TestCluster(recordedObjects(name));
  const rules = recordedObjects(name).filter(({ kind }) => kind === 'DestinationRule');
  const clusters = valuesOf(derivation.mesh.meshServices).flatMap((service) => {
    const { hostname } = service;
    const ruled = { hostname, namespace: namespaceOf(service) };
    const found = rules as unknown as readonly DestinationRule[];
    const traffic = destinationPolicy(found, CLIENT, ruled, MESH);
    const subsets = ['', ...(traffic?.subsets.keys() ?? [])];
    return l7Ports(service.ports).flatMap((port) =>
      subsets.map((subset) => outboundServiceCluster({ service, port, subset, traffic })),
    );
  });
  return new Map(
    clusters.map((cluster) => {
      const json = toJson(ClusterSchema, cluster, { registry }) as JsonObject;
      return [cluster.name, comparable(json)];
    }),
  );
}

interface Recording {
  readonly Cluster: Readonly<Record<string, JsonObject>>;
}

test.for([
  { name: '13-dr-subsets-lb', file: 'xds-web.json', subset: /^outbound\|80\|/ },
  { name: '14-dr-pool-outlier', file: 'xds-web.json', subset: /^outbound\|/ },
  // ISTIO_MUTUAL and TLS from Secrets are of sidecars.
  { name: '15-dr-tls', file: 'xds-web.json', subset: /^outbound\|\d+\|(?!cred|istio-sni)/ },
  { name: '16-dr-scope', file: 'xds-web.json', subset: /^outbound\|80\|/ },
])('clusters that routes lead to are as recorded in $name', ({ name, file, subset }) => {
  const { Cluster } = readRecorded<Recording>(name, file);
  const names = Object.keys(Cluster).filter((cluster) => subset.test(cluster));
  const made = served(name);
  const both = names.filter((cluster) => made.has(cluster));
  expect(both.length).toBeGreaterThan(2);
  expect(Object.fromEntries(both.map((cluster) => [cluster, made.get(cluster)]))).toEqual(
    Object.fromEntries(both.map((cluster) => [cluster, comparable(Cluster[cluster])])),
  );
});
