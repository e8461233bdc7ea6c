/** Test fixture: what sidecars and gateways are served in the clusters of recordings (test/fixtures/golden/l7). */
import { readFileSync } from 'node:fs';
import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ClusterLoadAssignmentSchema } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { RouteConfigurationSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import type { DescMessage } from '@bufbuild/protobuf';
import { load } from 'js-yaml';
import { parseProxy } from '../../push/proxy.ts';
import { proxyNodeOf } from '../../push/proxy-node.ts';
import { type ServedProxy, ServedResources } from '../../push/served-resources.ts';
import type { TestObject } from '../derivation.fixture.ts';
import type { Resource } from '../resource.ts';
import { readyCluster, recordedUrl } from './recorded-waypoint.fixture.ts';

interface Served {
  readonly schema: DescMessage;
  readonly type: keyof ServedProxy;
}

export type RecordedType = 'Cluster' | 'ClusterLoadAssignment' | 'Listener' | 'RouteConfiguration';

/** As a recording names them. */
export const RECORDED_TYPES: Readonly<Record<RecordedType, Served>> = {
  Cluster: { schema: ClusterSchema, type: 'clusters' },
  ClusterLoadAssignment: { schema: ClusterLoadAssignmentSchema, type: 'endpoints' },
  Listener: { schema: ListenerSchema, type: 'listeners' },
  RouteConfiguration: { schema: RouteConfigurationSchema, type: 'routes' },
};

interface RecordedNode {
  readonly id: string;
  readonly meta: Readonly<Record<string, unknown>>;
}

/** What a proxy of a recording is served, by type and name. */
export function servedTo(
  name: string,
  proxy: string,
  objects: readonly TestObject[],
): Readonly<Record<RecordedType, ReadonlyMap<string, Resource>>> {
  const nodes = load(readFileSync(recordedUrl(name, 'nodes.yaml'), 'utf8'));
  const { id, meta } = (nodes as Record<string, RecordedNode>)[proxy]!;
  const cluster = readyCluster(objects);
  const parsed = parseProxy(id, meta);
  if (!parsed.ok) throw new Error(parsed.error);
  cluster.derivation.proxies.set(id, proxyNodeOf(parsed.value)!);
  const served = new ServedResources();
  cluster.derivation.settle();
  served.follow(cluster.derivation);
  return Object.fromEntries(
    Object.entries(RECORDED_TYPES).map(([recorded, { type }]) => {
      const resources = served.proxy(id)?.[type].values() ?? [];
      return [recorded, new Map(Array.from(resources, (one) => [one.name, one]))];
    }),
  ) as unknown as ReturnType<typeof servedTo>;
}
